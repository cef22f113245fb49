import Testing

@testable import Diagnosis

@Suite struct SavedRequestTests {
    func parse(_ head: String, path: String? = nil) throws -> SavedRequest {
        try SavedRequest(head: Array(head.utf8), body: [], path: path, isEncrypted: false)
    }

    @Test(arguments: [
        "POST /webhook/servicedesk/desk?x=1 HTTP/1.1\r\nHost: a\r\nX-A: b: c \r\n\r\nbody: none",
        "POST https://a/webhook/servicedesk/desk HTTP/1.1\nHost: a\nX-A:b: c\n",
        "> POST /webhook/servicedesk/desk HTTP/1.1\r\n> Host: a\r\n> x-a: b: c\r\n>\r\n",
        ":method: POST\n:path: /webhook/servicedesk/desk\n:scheme: https\nhost: a\nX-A: b: c",
    ]) func `the head of a request is read as it is, from curl -v, and as HTTP/2 has it`(_ head: String) throws {
        let request = try parse(head)
        #expect(request.method == "POST" && request.path == "/webhook/servicedesk/desk" && request.isWhole)
        #expect(request.fields.count == 2)
        #expect(request.value(of: "x-A") == Array("b: c".utf8))
        #expect(request.value(of: "body") == nil)
    }

    @Test func `lines alone are a part of a request to the usual path, or to the one that is given`() throws {
        #expect(try !parse("X-A: b").isWhole)
        #expect(try parse("X-A: b").path == "/webhook/servicedesk")
        #expect(try parse("POST /x HTTP/1.1", path: "/y?z").path == "/y")
        #expect(try parse("\n\r\nX-A: b\nX-A:\nContent-Length: 12").declaredLength == 12)
        #expect(try parse("X-A: b\nX-A:").value(of: "X-A") == Array("b".utf8))
    }

    @Test(arguments: ["HTTP/1.1 202 Accepted: x\r\n", "X-A b", ": b"]) func `what is no request is a fault`(
        _ head: String
    ) {
        #expect(throws: SavedRequestFault.self) { try parse(head) }
    }
}
