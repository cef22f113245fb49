import TestSupport
import Testing
import Webhook

struct SecretsTests {
    private let a = utf8(String(repeating: "a", count: 32))
    private let b = utf8(String(repeating: "b", count: 40))
    private let c = utf8(String(repeating: "c", count: 200))

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

    /// The table's hashes, and so its collisions, differ from run to run.
    @Test func `each of 3,000 tenants accepts its own secret and not its neighbour's`() {
        let names = (0..<3000).map { "tenant-\($0)" }
        var all = secrets(of: names.map { "\($0) \(key(of: $0))\n" }.joined())
        let body = utf8("body")
        for (index, name) in names.enumerated() {
            let own = authenticator(utf8(key(of: name))).tag(of: body.span)
            let isAccepted = all.accept(own, of: body.span, tenant: utf8(name))
            let isBorrowed = all.accept(own, of: body.span, tenant: utf8(names[(index + 1) % names.count]))
            #expect(isAccepted && !isBorrowed)
        }
    }

    private func key(of name: String) -> String { "\(name)-" + String(repeating: "k", count: 60) }

    /// RFC 2104, section 2: a key of more than a block is its digest, a shorter one is padded with zeros.
    @Test(arguments: [32, 63, 64, 65, 127, 128, 4096])
    func `a secret of any length signs as HMAC defines`(length: Int) {
        let secret = String(repeating: "x", count: length - 1) + "y"
        let body = utf8("body")
        let tag = authenticator(utf8(secret)).tag(of: body.span)
        var secrets = secrets(of: "acme \(secret)\n")
        let isAccepted = secrets.accept(tag, of: body.span, tenant: utf8("acme"))
        #expect(isAccepted)
    }

    @Test func `a wiped table has no tenants`() throws {
        let text = utf8("acme \(a.text)\n")
        let table = try TenantsFile.parse(text.span)
        table.wipe()
        #expect(table.count == 0)
    }

    /// Both fields of the key have the same bytes in the same place.
    @Test func `wiping a key overwrites the secret itself, not a copy of it`() {
        var key = HeldKey.shared(utf8(a.text))
        let place = unsafe key.material.bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        key.wipe()
        let wiped = unsafe key.material.bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        let isClear = key.material.bytes.allSatisfy { $0 == 0 } && key.secret.text?.allSatisfy { $0 == 0 } == true
        #expect(isClear && wiped == place)
    }
}
