import RESP
import TestSupport
import Testing

struct SplitTests {
    @Test(arguments: [
        "+OK\r\n", ":-12\r\n", "$-1\r\n", "$11\r\nhello\r\nyou!\r\n",
        "*3\r\n:1\r\n*2\r\n$0\r\n\r\n*-1\r\n$3\r\n\r\n\r\r\n+x\r\n",
        "+OK\r\n:1\r\n-ERR x\r\n$3\r\nabc\r\n*1\r\n:7\r\n*0\r\n",
    ])
    func `replies parse the same whole, in two pieces and byte by byte`(text: String) {
        let bytes = utf8(text)
        let whole = Parsing([bytes])
        #expect(whole.fault == nil && !whole.replies.isEmpty && whole.rest.isEmpty)
        for pieces in cuts(of: bytes) {
            for discards in [true, false] {
                #expect(Parsing(pieces, discards: discards) == whole, "\(pieces.map(\.text))")
            }
        }
    }

    @Test func `replies parse the same whole and in any three pieces`() {
        let bytes = utf8("*2\r\n$2\r\nab\r\n:1\r\n+OK\r\n")
        let whole = Parsing([bytes])
        for first in 1..<bytes.count - 1 {
            for second in first + 1..<bytes.count {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]].map { Array($0) }
                if Parsing(pieces) != whole { Issue.record("\(first), \(second)") }
            }
        }
    }

    @Test func `an incomplete reply is neither a reply nor a fault`() {
        let bytes = utf8("*2\r\n$2\r\nab\r\n*1\r\n:-5\r\n")
        for end in bytes.indices {
            let parsing = Parsing([Array(bytes[..<end])])
            #expect(parsing.replies.isEmpty && parsing.fault == nil && parsing.rest.count == end)
        }
    }

    @Test func `consumed is the offset at which the next reply begins`() throws {
        let bytes = utf8(":42\r\n+OK\r\n:4")
        var parser = ReplyParser()
        let first = try parser.next(in: bytes.span)
        #expect(first == .integer(42) && parser.consumed == 5)
        let second = try parser.next(in: bytes.span)
        #expect(second == .simple(utf8("OK")) && parser.consumed == 10)
        for _ in 0..<3 {
            let third = try parser.next(in: bytes.span)
            #expect(third == nil && parser.consumed == 10)
        }
        parser.discardConsumed()
        #expect(parser.consumed == 0)
        let rest = utf8(":43\r\n")
        let last = try parser.next(in: rest.span)
        #expect(last == .integer(43) && parser.consumed == 5)
    }

    @Test func `thousands of pipelined replies parse the same whole and in pieces`() {
        let bytes = Array(repeating: utf8(":17\r\n$2\r\nok\r\n"), count: 2000).flatMap { $0 }
        let pieces = stride(from: 0, to: bytes.count, by: 701).map { Array(bytes[$0..<min($0 + 701, bytes.count)]) }
        #expect(Parsing(pieces).replies.count == 4000)
        #expect(Parsing(pieces) == Parsing([bytes]))
    }
}
