import TestSupport
import Testing

@testable import Delivery

/// What a node of a cluster answers about a key that another one has.
struct RedirectionTests {
    @Test(arguments: [
        ("MOVED 3999 127.0.0.1:6381", false, "127.0.0.1", UInt16(6381)),
        ("ASK 0 node-7.example:1", true, "node-7.example", 1),
        ("MOVED 16383 2001:db8::7:65535", false, "2001:db8::7", 65_535), ("MOVED 1 :6379", false, nil, 6379),
        (
            "MOVED 16383 " + String(repeating: "a", count: 255) + ":65535", false, String(repeating: "a", count: 255),
            65_535
        ),
    ])
    func `MOVED and ASK name a node`(text: String, asks: Bool, host: String?, port: UInt16) throws {
        let found = Redirection(utf8(text).span)
        let redirection = try #require(found)
        #expect(redirection.asks == asks && redirection.host == host && redirection.port == port)
        for count in 0..<text.utf8.count {
            let part = Redirection(utf8(text).span.extracting(first: count))
            #expect(part.map { (host ?? "").hasPrefix($0.host ?? "") } ?? true)
        }
    }

    @Test(arguments: [
        "", "MOVED", "MOVED 1", "MOVED 1 ", "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED +1 a:1", "MOVED 1 a:0",
        "MOVED 1 a:65536",
        "MOVED 1 a:", "MOVED 1 a", "MOVED 1 ?:6379", "MOVED  1 a:1", "MOVED 1 a:1 b", "moved 1 a:1", "MOVED 1 \u{1}:1",
        "MOVED 1 é:1", "MOVED 1 " + String(repeating: "a", count: 256) + ":1", "MOVED 1 a:+1",
    ])
    func `a reply of another form names no node`(text: String) { #expect(Redirection(utf8(text).span) == nil) }
}
