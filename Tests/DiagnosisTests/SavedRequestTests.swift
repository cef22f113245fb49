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
        #expect(try parse("X-A: b\nx-a: c").value(of: "X-A") == Array("b".utf8))
        #expect(try parse("X-A:\nX-A: b").value(of: "X-A") == nil)
        #expect(try parse("X-A:\nX-B: 1\nx-a: b").repeats == [2])
    }

    @Test(arguments: [
        ("//webhook///servicedesk", "/webhook/servicedesk"), ("/%77ebhook%2Fservicedesk", "/webhook/servicedesk"),
        ("/a/./../webhook/servicedesk/b/..", "/webhook/servicedesk/"), ("/a/%2e%2E//b/?c=//d", "/b/"), ("/", "/"),
        ("/a%3fb%25", "/a?b%"),
        // What nginx answers 400.
        ("/../a", "/../a"), ("/a%0", "/a%0"), ("/a%zz", "/a%zz"), ("/a%00", "/a%00"),
    ]) func `a path is taken as nginx hands it on`(_ sent: String, _ path: String) throws {
        #expect(try parse("POST \(sent) HTTP/1.1").path == path)
        #expect(try parse("", path: sent).path == path)
    }

    @Test(arguments: ["HTTP/1.1 202 Accepted: x\r\n", "X-A b", ": b"]) func `what is no request is a fault`(
        _ head: String
    ) {
        #expect(throws: SavedRequestFault.self) { try parse(head) }
    }
}
