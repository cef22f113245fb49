import Bytes
import Testing
import Webhook

@testable import Diagnosis

/// What is said of a body that is not what it should be.
@Suite struct BodyFormatTests {
    private static let signature = #""mode": "servicedesk", "secret": "\#(secret)""#
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The names of the mistakes in a request of nobody's signature.
    private func mistakes(_ body: [UInt8], type: String = "application/json") throws -> [String] {
        try OneTenant(Self.signature).explain(body, head: "Content-Type: \(type)\nX-ServiceDesk-Signature: \(zeros)")
            .mistakes.map(\.name)
    }

    private let zeros = String(repeating: "0", count: 64)

    @Test func `a body with = in it is not a form for that`() throws {
        let text = ticket("a=b&c=d")
        #expect(try mistakes([10] + text) == [])
        #expect(try mistakes(Self.mark + text).contains("text-encoding"))
        for body in [
            #"<?xml version="1.0"?><a href="b"/>"#, "5\r\n{\"a\":\"b=c\"}\r\n0\r\n\r\n", #"[{"a":"b=c"}]"#,
            "eyJhIjoxfQ==", "%PDF-1.4",
            "=a",
        ] {
            #expect(try !mistakes(Array(body.utf8)).contains("form-encoded"), "\(body)")
        }
        for body in ["payload=%7B%22a%22%3A1%7D", "a=1&b=", "data[x]={\"a\":\"=\"}", "%7B%22a%22%3A1%7D"] {
            #expect(try mistakes(Array(body.utf8)).contains("form-encoded"), "\(body)")
        }
    }

    @Test func `a body with a byte-order mark that is signed as it is sent is told to be that`() throws {
        let diagnosis = try OneTenant(Self.signature).explain(Self.mark + ticket("a=b"))
        #expect(diagnosis.mistakes.map(\.name) == ["text-encoding"] && diagnosis.isProven)
    }

    @Test func `a sender with a profile may send a form`() throws {
        let desk = try OneSender(profile: "generic")
        let json = ticket()
        let form = Array("payload=".utf8) + json.flatMap { Array("%".utf8) + hexadecimal([$0].span) }
        func names(_ type: String) throws -> [String] {
            try desk.explain(form, type: type, signed: ticket("another one")).mistakes.map(\.name)
        }
        #expect(try names("application/x-www-form-urlencoded") == [])
        #expect(try names("application/json") == ["form-encoded"])
        let diagnosis = try desk.explain(form, type: "application/x-www-form-urlencoded", signed: json)
        #expect(diagnosis.mistakes.map(\.name) == ["form-encoded"] && diagnosis.isProven)
        #expect(diagnosis.mistakes[0].advice.hasPrefix("sign the form"))
        #expect(try desk.explain(form, type: "application/x-www-form-urlencoded", signed: form).mistakes == [])
    }
}
