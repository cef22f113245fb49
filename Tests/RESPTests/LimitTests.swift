import RESP
import TestSupport
import Testing

struct LimitTests {
    @Test(arguments: ["+", "-"])
    func `a line over the limit is refused, even before it has ended`(type: String) {
        let longest = String(repeating: "x", count: ReplyParser.lineLimit)
        #expect(Parsing("\(type)\(longest)\r\n").replies.count == 1)
        #expect(Parsing("\(type)\(longest)x\r\n").fault == .lineTooLong)
        // A line that has not ended has the same limit.
        #expect(Parsing("\(type)\(longest)").fault == nil)
        #expect(Parsing("\(type)\(longest)\r").fault == nil)
        #expect(Parsing("\(type)\(longest)x").fault == .lineTooLong)
    }

    @Test func `a bulk string over the limit is refused for its claimed length`() {
        let longest = String(repeating: "x", count: ReplyParser().bulkLimit)
        #expect(Parsing("$1048576\r\n\(longest)\r\n").replies == [.bulk(utf8(longest))])
        // Refused for the length that it claims, before the bytes arrive.
        #expect(Parsing("$1048577\r\n").fault == .length)
    }

    @Test func `a reply nested more than 8 levels deep is refused`() {
        #expect(ReplyParser.depthLimit == 8)
        let within = String(repeating: "*1\r\n", count: 7)
        #expect(Parsing(within + ":1\r\n").replies.count == 1)
        #expect(Parsing(within + "*0\r\n").replies.count == 1)
        #expect(Parsing(within + "*1\r\n").fault == .tooDeep)
        #expect(Parsing(String(repeating: "*1\r\n", count: 10_000)).fault == .tooDeep)
    }

    @Test func `the depth of one reply does not count for the next`() {
        let element = String(repeating: "*1\r\n", count: 6) + ":1\r\n"
        #expect(Parsing("*2\r\n\(element)\(element)*1\r\n\(element)").replies.count == 2)
    }

    @Test func `an array of more than 1,024 elements is refused`() {
        let most = String(repeating: ":1\r\n", count: ReplyParser.elementLimit)
        #expect(Parsing("*1024\r\n\(most)").replies == [.array(Array(repeating: .integer(1), count: 1024))])
        #expect(Parsing("*1025\r\n\(most)").fault == .tooManyElements)
    }

    @Test func `a reply over the limit is refused, however it is cut`() {
        let bytes = utf8("*2\r\n$3\r\nabc\r\n$3\r\ndef\r\n")
        #expect(Parsing([bytes], replyLimit: bytes.count).replies.count == 1)
        #expect(Parsing(bytes.map { [$0] }, replyLimit: bytes.count).replies.count == 1)
        #expect(Parsing([bytes], replyLimit: bytes.count - 1).fault == .tooLong)
        for pieces in cuts(of: bytes) { #expect(Parsing(pieces, replyLimit: bytes.count - 1).fault == .tooLong) }
        #expect(Parsing([utf8("$30\r\n")], replyLimit: 20).fault == .tooLong)
    }

    @Test func `the length of a reply is counted from its own beginning`() {
        let bytes = Array(repeating: utf8(":1\r\n"), count: 100).flatMap { $0 }
        #expect(Parsing([bytes], replyLimit: 4).replies.count == 100)
        #expect(Parsing([bytes], replyLimit: 4, discards: false).replies.count == 100)
    }
}
