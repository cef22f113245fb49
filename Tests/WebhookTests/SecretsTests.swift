import TestSupport
import Testing
import Webhook

struct SecretsTests {
    private let a = utf8(String(repeating: "a", count: 32))
    private let b = utf8(String(repeating: "b", count: 40))
    private let c = utf8(String(repeating: "c", count: 200))

    // MARK: Tenants

    private var tenants: Secrets { Secrets(tenants: [utf8("acme"): [a], utf8("globex"): [b, c]]) }

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

    @Test func aTenantHasItsOwnSecrets() {
        #expect(disposition(tenant: "acme", signedWith: a) == .queued)
        #expect(disposition(tenant: "globex", signedWith: b) == .queued)
        #expect(disposition(tenant: "globex", signedWith: c) == .queued)
    }

    @Test func andNobodyElses() {
        #expect(disposition(tenant: "acme", signedWith: b) == .answer(.invalidSignature))
        #expect(disposition(tenant: "acme", signedWith: c) == .answer(.invalidSignature))
        #expect(disposition(tenant: "globex", signedWith: a) == .answer(.invalidSignature))
        #expect(disposition(tenant: "acme", signedWith: secret) == .answer(.invalidSignature))
    }

    @Test(arguments: [
        "initech", "acme2", "acm", "ACME", "a", "acme\\u0000", "globex ", String(repeating: "x", count: 101),
    ])
    func anUnknownTenantIsLikeAWrongSignature(tenant: String) {
        for secret in [a, b, c, secret, []] where !secret.isEmpty {
            #expect(disposition(tenant: tenant, signedWith: secret) == .answer(.invalidSignature))
        }
    }

    @Test func theAnswersAreTheSameToTheByte() {
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

    @Test func theTenantsNameMayBeEscapedAndStandAnywhere() {
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

    @Test func aSecondTenantDoesNotBorrowTheFirstOnesSecret() {
        let both = Payload().adding("tenant_id", #""globex""#)
        #expect(disposition(tenant: "", signedWith: a) { _ in both } == .answer(.invalidFields))
        #expect(disposition(tenant: "", signedWith: b) { _ in both } == .answer(.invalidSignature))
    }

    @Test func aTenantThatIsNoStringIsUnknown() {
        for value in ["1", "null", "[]", #"["acme"]"#, "{}", #""""#] {
            #expect(
                disposition(tenant: "", signedWith: a) { $0.with("tenant_id", value) } == .answer(.invalidSignature))
        }
    }

    @Test func oneSecretForAllAsksForNoTenant() {
        #expect(!Secrets(shared: secret).arePerTenant && tenants.arePerTenant)
        #expect(outcome { $0.body = Payload().with("tenant_id", #""anybody""#).bytes }.disposition == .queued)
    }

    @Test func withoutTenantsNothingIsAccepted() {
        var desk = Desk(Secrets(tenants: [:]))
        #expect(desk.handle(Request()).disposition == .answer(.invalidSignature))
    }

    // MARK: The file

    private func parse(_ text: String) -> (tenants: [String: [String]], faults: [String]) {
        let (tenants, faults) = Secrets.parse(utf8(text))
        return (Dictionary(uniqueKeysWithValues: tenants.map { ($0.key.text, $0.value.map(\.text)) }), faults)
    }

    @Test func aLineForEachTenant() {
        let (a, b, c) = (a.text, b.text, c.text)
        let file = "# tenants\n\nacme \(a)\n  globex\t\(b)  \(c) # from May on\r\n\r\n#initech \(a)\nx-1 \(a)#b"
        let (tenants, faults) = parse(file)
        #expect(faults.isEmpty)
        #expect(tenants == ["acme": [a], "globex": [b, c], "x-1": [a + "#b"]])
    }

    @Test func secretsMayHoldAnyOtherByte() {
        let odd = "=:;,\"'\\é😀$(x)`0123456789012345678901234"
        #expect(parse("acme \(odd)\n").tenants == ["acme": [odd]])
    }

    @Test func faultsNameTheirLines() {
        let (a, b) = (a.text, b.text)
        let file = """
            ACME \(a)
            acme
            acme \(a) \(a) \(a) \(a)
            acme \(a.dropLast())
            acme \(a) short
            acme \(a)
            acme \(b)
            \(String(repeating: "x", count: 101)) \(a)
            acme_2 \(a)
            acme # \(a)
            """
        #expect(
            parse(file).faults == [
                "line 1: a tenant id is 1 to 100 of a-z, 0-9 and -", "line 2: a tenant has 1 to 3 secrets, not 0",
                "line 3: a tenant has 1 to 3 secrets, not 4", "line 4: a secret has at least 32 bytes",
                "line 5: a secret has at least 32 bytes", "line 7: the tenant occurs twice",
                "line 8: a tenant id is 1 to 100 of a-z, 0-9 and -",
                "line 9: a tenant id is 1 to 100 of a-z, 0-9 and -",
                "line 10: a tenant has 1 to 3 secrets, not 0",
            ])
        #expect(!parse(file).faults.joined().contains(a.prefix(8)))
    }

    @Test(arguments: ["", "\n\n", "# only a comment\n", "  \t\r\n"])
    func aFileWithoutTenantsIsAFault(text: String) {
        #expect(parse(text).faults == ["it names no tenant"])
    }

    @Test func noiseTrapsNothing() {
        var random = SplitMix64(seed: 13)
        for _ in 0..<2000 {
            let text = random.spoil(
                utf8("acme \(a.text)\n# x\nglobex \(b.text) \(c.text)\n"), with: [[0x0A], [0x23], [0x20], [0xFF]])
            let (tenants, faults) = Secrets.parse(text)
            #expect(!tenants.isEmpty || !faults.isEmpty)
        }
    }
}
