import TestSupport
import Testing
import Webhook

struct SecretsTests {
    private let a = utf8(String(repeating: "a", count: 32))
    private let b = utf8(String(repeating: "b", count: 40))
    private let c = utf8(String(repeating: "c", count: 200))

    // MARK: Tenants

    private var tenants: Secrets { secrets(of: "acme \(a.text)\nglobex \(b.text) \(c.text)\n") }

    private func disposition(tenant: String, signedWith secret: [UInt8], _ change: (Payload) -> Payload = { $0 })
        -> Disposition
    {
        var desk = Desk(tenants)
        let body = change(Payload().with("tenant_id", #""\#(tenant)""#)).bytes
        return desk.handle(
            Request {
                $0.body = body
                $0.signature = sign(body, with: secret)
            }
        ).disposition
    }

    @Test func `a tenant may sign with each of its own secrets`() {
        #expect(disposition(tenant: "acme", signedWith: a) == .queued)
        #expect(disposition(tenant: "globex", signedWith: b) == .queued)
        #expect(disposition(tenant: "globex", signedWith: c) == .queued)
    }

    @Test func `a tenant may not sign with another tenant's secret`() {
        #expect(disposition(tenant: "acme", signedWith: b) == .answer(.invalidSignature))
        #expect(disposition(tenant: "acme", signedWith: c) == .answer(.invalidSignature))
        #expect(disposition(tenant: "globex", signedWith: a) == .answer(.invalidSignature))
        #expect(disposition(tenant: "acme", signedWith: secret) == .answer(.invalidSignature))
    }

    @Test(arguments: [
        "initech", "acme2", "acm", "ACME", "a", "acme\\u0000", "globex ", String(repeating: "x", count: 101),
    ])
    func `an unknown tenant is refused as a wrong signature`(tenant: String) {
        for secret in [a, b, c, secret, []] where !secret.isEmpty {
            #expect(disposition(tenant: tenant, signedWith: secret) == .answer(.invalidSignature))
        }
    }

    @Test func `a wrong signature, an unknown tenant and invalid JSON get the same response`() {
        var desk = Desk(tenants)
        let known = Payload().bytes
        let unknown = Payload().with("tenant_id", #""initech""#).bytes
        let wrong = desk.handle(
            Request {
                $0.body = known
                $0.signature = sign(known, with: secret)
            })
        let nobody = desk.handle(
            Request {
                $0.body = unknown
                $0.signature = sign(unknown, with: secret)
            })
        let garbled = desk.handle(
            Request {
                $0.body = utf8("no JSON")
                $0.signature = sign(utf8("no JSON"), with: a)
            })
        #expect(wrong.answer == nobody.answer && wrong.answer == garbled.answer && wrong.answer.contains("401"))
    }

    @Test func `the tenant id may be escaped, and stand anywhere in the outermost object`() {
        #expect(disposition(tenant: #"\u0061cme"#, signedWith: a) == .queued)
        let last = Payload().without("tenant_id").adding("tenant_id", #""acme""#)
        #expect(disposition(tenant: "", signedWith: a) { _ in last } == .queued)
        let escaped = Payload().without("tenant_id").adding(#"tenant\u005fid"#, #""acme""#)
        #expect(disposition(tenant: "", signedWith: a) { _ in escaped } == .queued)
        let behind = Payload().without("tenant_id").adding("x", #"{"tenant_id":"globex","y":[1]}"#).adding(
            "tenant_id", #""acme""#)
        #expect(disposition(tenant: "", signedWith: a) { _ in behind } == .answer(.invalidFields))
        #expect(disposition(tenant: "", signedWith: b) { _ in behind } == .answer(.invalidSignature))
    }

    @Test func `a second tenant id does not borrow the first one's secret`() {
        let both = Payload().adding("tenant_id", #""globex""#)
        #expect(disposition(tenant: "", signedWith: a) { _ in both } == .answer(.invalidFields))
        #expect(disposition(tenant: "", signedWith: b) { _ in both } == .answer(.invalidSignature))
    }

    @Test func `a tenant id that is empty or not a string is unknown`() {
        for value in ["1", "null", "[]", #"["acme"]"#, "{}", #""""#] {
            #expect(
                disposition(tenant: "", signedWith: a) { $0.with("tenant_id", value) } == .answer(.invalidSignature))
        }
    }

    @Test func `a shared secret signs for any tenant`() {
        #expect(!Secrets(shared: secret).arePerTenant && tenants.arePerTenant)
        #expect(outcome { $0.body = Payload().with("tenant_id", #""anybody""#).bytes }.disposition == .queued)
    }

    /// The table's hashes differ from run to run, and with them what collides.
    @Test func `each of 3,000 tenants accepts its own secret and not its neighbour's`() {
        let names = (0..<3000).map { "tenant-\($0)" }
        let all = secrets(of: names.map { "\($0) \(key(of: $0))\n" }.joined())
        let body = utf8("body")
        for (index, name) in names.enumerated() {
            let own = authenticator(utf8(key(of: name))).tag(of: body.span)
            let isAccepted = all.accept(own, of: body.span, tenant: utf8(name))
            let isBorrowed = all.accept(own, of: body.span, tenant: utf8(names[(index + 1) % names.count]))
            #expect(isAccepted && !isBorrowed)
        }
    }

    private func key(of name: String) -> String { "\(name)-" + String(repeating: "k", count: 60) }

    /// RFC 2104, section 2: a key of more than a block is its digest, a shorter one is filled up with zeros.
    @Test(arguments: [32, 63, 64, 65, 127, 128, 4096])
    func `a secret of any length signs as HMAC defines`(length: Int) {
        let secret = String(repeating: "x", count: length - 1) + "y"
        let body = utf8("body")
        let tag = authenticator(utf8(secret)).tag(of: body.span)
        let isAccepted = secrets(of: "acme \(secret)\n").accept(tag, of: body.span, tenant: utf8("acme"))
        #expect(isAccepted)
    }

    @Test func `a wiped table has no tenants`() throws {
        let text = utf8("acme \(a.text)\n")
        let table = try TenantsFile.parse(text.span)
        table.wipe()
        #expect(table.count == 0)
    }

    // MARK: The file

    private func faults(_ text: [UInt8]) -> String? {
        do throws(TenantsFile.Faults) {
            _ = try TenantsFile.parse(text.span)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// The tenants of a file whose secrets accept what is signed with `secret`.
    private func tenants(_ names: [String], of text: String, accepting secret: [UInt8]) -> [String] {
        let secrets = secrets(of: text)
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
        let secrets = Secrets(tenants: try TenantsFile.parse(text.span))
        let isAccepted = secrets.accept(tag, of: body.span, tenant: utf8("acme"))
        #expect(isAccepted)
    }

    @Test(arguments: [
        ("ACME {a}", "a tenant id is 1 to 100 of a-z, 0-9 and -"), ("acme", "a tenant has 1 to 3 secrets, not none"),
        ("acme {a} {a} {a} {a}", "a tenant has 1 to 3 secrets, not more"),
        ("acme {a} {a} {a} {a} {a} {a}", "a tenant has 1 to 3 secrets, not more"),
        ("acme {a} short", "a secret has at least 32 bytes"),
        ("acme_2 {a}", "a tenant id is 1 to 100 of a-z, 0-9 and -"),
        ("acme # {a}", "a tenant has 1 to 3 secrets, not none"), ("globex {a}", "the tenant occurs twice"),
    ])
    func `a fault names its line`(line: String, fault: String) {
        let text = "# comment\nglobex \(b.text)\n\(line.replacing("{a}", with: a.text))\n"
        #expect(faults(utf8(text)) == "line 3: \(fault)")
    }

    @Test func `five faults are listed without secrets, and the rest counted`() {
        let told = faults(utf8(String(repeating: "ACME \(a.text)\n", count: 8)))
        #expect(told?.hasPrefix("line 1: a tenant id") == true && told?.hasSuffix("; and 3 more faults") == true)
        #expect(told?.contains("line 5") == true && told?.contains("line 6") == false)
        #expect(told?.contains(a.text.prefix(8)) == false)
    }

    @Test(arguments: ["", "\n\n", "# only a comment\n", "  \t\r\n"])
    func `a file without tenants is refused`(text: String) {
        #expect(faults(utf8(text)) == "it names no tenant")
    }

    /// Written while it is read, it may end anywhere: within a secret of which enough is there, too.
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
