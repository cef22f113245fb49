import Bytes
import Testing
import Webhook

@testable import Diagnosis

@Suite struct DiagnosisTests {
    static let keys = [
        #""mode": "servicedesk", "secret": "\#(secret)""#,
        #""mode": "standard-webhooks", "secret": "whsec_YS1rZXktb2YtYXQtbGVhc3QtMjQtYnl0ZXM=""#,
        #""mode": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256=", "secret": "\#(secret)""#,
        #""mode": "hmac", "header": "X-A", "encoding": "base64", "signed": "timestamp-body", "separator": ".", "timestamp_header": "X-T", "timestamp_format": "rfc3339", "secret": "\#(secret)""#,
        #""mode": "hmac", "header": "X-A", "signed": "body-timestamp", "timestamp_header": "X-T", "secret": "\#(secret)""#,
        #""mode": "token", "secret": "\#(secret)""#,
        #""mode": "token", "header": "X-Secret", "prefix": "Key ", "secret": "\#(secret)""#,
        #""mode": "basic", "user": "desk", "secret": "\#(secret)""#,
    ]

    @Test(arguments: keys) func `a right request is accepted, not blamed, and its key named`(_ key: String) throws {
        let tenant = try OneTenant(key)
        let plain = ticket("Grüße <b>A/B</b> \\u00e4 \\/")
        let bodies = [plain, plain + [10], plain + [13, 10], [32, 9, 10] + plain, ticket(), ticket("\\r\\n😀")]
        for body in bodies {
            let diagnosis = try tenant.explain(body, isEncrypted: true)
            #expect(diagnosis.isAccepted)
            #expect(diagnosis.mistakes == [])
            #expect(diagnosis.key?.id == Array("1".utf8))
        }
    }

    @Test(arguments: keys[..<5])
    func `of a body that was changed after it was signed, the change is named in every mode`(
        _ key: String
    ) throws {
        let diagnosis = try OneTenant(key).explain(ticket(), signed: ticket() + [10])
        #expect(diagnosis.mistakes.map(\.name) == ["newline-missing"])
        #expect(diagnosis.isProven)
    }

    @Test(arguments: keys) func `a body that nothing explains is not explained`(_ key: String) throws {
        guard try OneTenant(key).keys[0].form != nil else { return }
        let diagnosis = try OneTenant(key).explain(ticket(), signed: ticket("another one"))
        #expect(!diagnosis.isProven && !diagnosis.isAccepted)
        #expect(diagnosis.mistakes == [])
        #expect(diagnosis.tried > 0)
    }

    @Test func `two mistakes in computing a signature and one in writing it are found together`() throws {
        let tenant = try OneTenant(Self.keys[0])
        let signed = ticket() + [13, 10]
        let tag = Hash.sha256.hmac(of: signed, key: Array("'\(secret)'".utf8))
        let head = Array("X-ServiceDesk-Signature: \(String(decoding: base64Encoded(tag), as: UTF8.self))".utf8)
        let request = try SavedRequest(head: head, body: ticket(), path: nil, isEncrypted: false)
        let diagnosis = Diagnosis(request, secrets: tenant.secrets, keys: tenant.keys, now: now)
        #expect(diagnosis.mistakes.map(\.name) == ["newline-missing", "secret-quotes", "encoding"])
    }

    @Test func `a body that is signed as it is sent, and as something else, is not blamed for the latter`() throws {
        // Compact JSON is what rewriting it gives.
        let tenant = try OneTenant(Self.keys[0])
        let signing = Signing(
            try SavedRequest(head: [], body: ticket(), path: nil, isEncrypted: false), with: tenant.keys[0])
        let request = try SavedRequest(head: [], body: ticket(), path: nil, isEncrypted: false)
        for alternative in RewrittenJSON().alternatives(to: signing, request, tenant.keys[0]) {
            guard case .body(let body) = alternative.change else { continue }
            #expect(body != ticket())
        }
    }

    @Test func `of two headers with one name the first counts, and that there are two is told`() throws {
        let tenant = try OneTenant(Self.keys[0])
        let wrongTag = String(repeating: "0", count: 64)
        let tag = String(
            decoding: hexadecimal(Hash.sha256.hmac(of: ticket(), key: Array(secret.utf8)).span), as: UTF8.self)
        let good = "X-ServiceDesk-Signature: \(tag)\n"
        let bad = "x-servicedesk-signature: \(wrongTag)\n"
        let accepted = try tenant.explain(ticket(), head: good + bad)
        #expect(accepted.isAccepted && accepted.notes.map(\.name) == ["header-twice"])
        let refused = try tenant.explain(ticket(), head: bad + good)
        #expect(!refused.isAccepted && refused.isProven && refused.key?.owner == Array("acme".utf8))
        #expect(refused.mistakes.map(\.name) == ["header-twice"] && refused.notes == [])
        #expect(try tenant.explain(ticket(), head: "Accept: a\nAccept: b\n" + good).notes == [])
        let token = try OneTenant(#""mode": "token", "plaintext": true, "secret": "\#(secret)""#)
        let (right, wrong) = ("Authorization: Bearer \(secret)\n", "Authorization: Bearer \(wrongTag)\n")
        #expect(try token.explain(ticket(), head: wrong + right).mistakes.map(\.name) == ["header-twice"])
        #expect(try token.explain(ticket(), head: right + wrong).isAccepted)
    }
}
