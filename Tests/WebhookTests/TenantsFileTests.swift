import TestSupport
import Testing
import Webhook

/// The text of a tenants file.
struct TenantsFileTests {
    private let a = utf8(String(repeating: "a", count: 32))
    private let b = utf8(String(repeating: "b", count: 40))
    private let c = utf8(String(repeating: "c", count: 200))

    private func faults(_ text: [UInt8]) -> String? {
        do throws(TenantsFileFault) {
            _ = try TenantsFile.parse(text.span)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Only a first byte of `{` makes it JSON.
    @Test(arguments: [
        ("\u{FEFF}{\"tenants\": []}", "the file begins with a byte-order mark: save it without one"),
        ("\u{FEFF}acme secret\n", "the file begins with a byte-order mark: save it without one"),
        ("\n {\"tenants\": []}", "JSON must begin with { as the first byte"),
    ])
    func `a file that is neither lines nor JSON because of its beginning is told so`(text: String, fault: String) {
        #expect(faults(utf8(text)) == fault)
    }

    /// The named tenants of a file whose secrets accept a signature under `secret`.
    private func tenants(_ names: [String], of text: String, accepting secret: [UInt8]) -> [String] {
        var secrets = secrets(of: text)
        let body = utf8("body")
        let tag = authenticator(secret).tag(of: body.span)
        return names.filter { secrets.accept(tag, of: body.span, tenant: utf8($0)) }
    }

    @Test func `each line names a tenant and its secrets, apart from comments and empty lines`() throws {
        let (a, b, c) = (a.text, b.text, c.text)
        let file = "# tenants\n\nacme \(a)\n  globex\t\(b)  \(c) # from May on\r\n\r\n#initech \(a)\nx-1 \(a)#b\n"
        let names = ["acme", "globex", "initech", "#initech", "x-1", "", "#"]
        #expect(tenants(names, of: file, accepting: self.a) == ["acme"])
        #expect(tenants(names, of: file, accepting: self.b) == ["globex"])
        #expect(tenants(names, of: file, accepting: self.c) == ["globex"])
        #expect(tenants(names, of: file, accepting: utf8(a + "#b")) == ["x-1"])
        let text = utf8(file)
        let table = try TenantsFile.parse(text.span)
        #expect(table.count == 3)
    }

    @Test func `a secret may contain NUL and bytes that are not UTF-8`() throws {
        let odd = utf8("=:;,\"'\\é😀$(x)`0123456789012345678901234") + [0xFF, 0x80, 0x00, 0xC0]
        let body = utf8("body")
        let text = utf8("acme ") + odd + [0x0A]
        let tag = authenticator(odd).tag(of: body.span)
        var secrets = Secrets(tenants: try TenantsFile.parse(text.span))
        let isAccepted = secrets.accept(tag, of: body.span, tenant: utf8("acme"))
        #expect(isAccepted)
    }

    @Test(arguments: [
        ("ACME {a}", "expected a tenant id of 1 to 100 of a-z, 0-9 and -"),
        ("acme", "expected 1 to 3 secrets, found none"),
        ("acme {a} {a} {a} {a}", "expected 1 to 3 secrets, found more"),
        ("acme {a} {a} {a} {a} {a} {a}", "expected 1 to 3 secrets, found more"),
        ("acme {a} short", "expected secrets of at least 32 bytes"),
        ("acme_2 {a}", "expected a tenant id of 1 to 100 of a-z, 0-9 and -"),
        ("acme # {a}", "expected 1 to 3 secrets, found none"), ("globex {a}", "duplicate tenant"),
    ])
    func `a fault names its line`(line: String, fault: String) {
        let text = "# comment\nglobex \(b.text)\n\(line.replacing("{a}", with: a.text))\n"
        #expect(faults(utf8(text)) == "line 3: \(fault)")
    }

    @Test func `five faults are listed without secrets, and the rest counted`() {
        let told = faults(utf8(String(repeating: "ACME \(a.text)\n", count: 8)))
        #expect(
            told?.hasPrefix("line 1: expected a tenant id") == true && told?.hasSuffix("; and 3 more faults") == true)
        #expect(told?.contains("line 5") == true && told?.contains("line 6") == false)
        #expect(told?.contains(a.text.prefix(8)) == false)
    }

    @Test(arguments: ["", "\n\n", "# only a comment\n", "  \t\r\n"])
    func `a file without tenants is refused`(text: String) {
        #expect(faults(utf8(text)) == "the file has no tenants")
    }

    /// Read while it is written, a file may end anywhere, even within a secret that is long enough already.
    @Test func `a file whose last line does not end is refused`() {
        let whole = utf8("acme \(a.text)\nglobex \(c.text)\n")
        #expect(faults(whole) == nil)
        let firstLine = 6 + a.count
        for end in 1..<whole.count where end != firstLine {
            #expect(faults(Array(whole[..<end])) != nil, "\(end)")
        }
    }

    @Test func `a spoilt file does not trap`() {
        var random = SplitMix64(seed: 13)
        for _ in 0..<2000 {
            let text = random.spoil(
                utf8("acme \(a.text)\n# x\nglobex \(b.text) \(c.text)\n"), with: [[0x0A], [0x23], [0x20], [0xFF]])
            if let table = try? TenantsFile.parse(text.span) { #expect(table.count > 0) }
        }
    }
}
