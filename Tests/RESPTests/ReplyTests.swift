import RESP
import TestSupport
import Testing

struct ReplyTests {
    @Test(
        arguments: [
            ("+OK\r\n", .simple(utf8("OK"))), ("+\r\n", .simple([])), ("-ERR no\r\n", .error(utf8("ERR no"))),
            ("-\r\n", .error([])), (":0\r\n", .integer(0)), (":42\r\n", .integer(42)), (":-1\r\n", .integer(-1)),
            ("$0\r\n\r\n", .bulk([])), ("$5\r\na\r\nb\0\r\n", .bulk(utf8("a\r\nb\0"))), ("$-1\r\n", .bulk(nil)),
            ("*0\r\n", .array([])), ("*-1\r\n", .array(nil)), ("+a b:*$\r\n", .simple(utf8("a b:*$"))),
            ("*2\r\n:1\r\n*1\r\n$-1\r\n", .array([.integer(1), .array([.bulk(nil)])])),
            ("*3\r\n+a\r\n-b\r\n$1\r\nc\r\n", .array([.simple(utf8("a")), .error(utf8("b")), .bulk(utf8("c"))])),
        ] as [(String, Reply)])
    func `every kind of reply is read`(text: String, expected: Reply) {
        let parsing = Parsing(text)
        #expect(parsing.replies == [expected])
        #expect(parsing.fault == nil && parsing.rest.isEmpty)
    }

    @Test(arguments: [
        ("9223372036854775807", Int64.max), ("-9223372036854775808", .min), ("-9223372036854775807", -.max), ("10", 10),
        ("1000000000000000000", 1_000_000_000_000_000_000),
    ])
    func `integers are read up to both ends of Int64`(text: String, expected: Int64) {
        #expect(Parsing(":\(text)\r\n").replies == [.integer(expected)])
    }

    @Test(arguments: [
        "", "-", "+1", "01", "00", "-0", "-01", "1 ", " 1", "1.0", "1e3", "0x1", "a", "--1", "٣", "9223372036854775808",
        "-9223372036854775809", "92233720368547758070", "18446744073709551616", "99999999999999999999999999", "1\0",
        "\0",
    ])
    func `an integer in another form, or beyond Int64, is refused`(text: String) {
        #expect(Parsing(":\(text)\r\n").fault == .integer)
        #expect(Parsing("$\(text)\r\n").fault == .integer)
        #expect(Parsing("*\(text)\r\n").fault == .integer)
    }

    @Test(
        arguments: [
            ("x", .type), ("\r\n", .type), ("\0", .type), ("HTTP/1.1 400\r\n", .type), ("*1\r\nx", .type),
            ("_\r\n", .type),
            ("#t\r\n", .type), ("%1\r\n", .type), ("+a\n", .lineEnd), ("+a\r\r\n", .lineEnd), ("+a\rb\r\n", .lineEnd),
            ("+a\nb\r\n", .lineEnd), (":1\n", .lineEnd), ("$1\r\nab\r\n", .lineEnd), ("$1\r\na\n\r", .lineEnd),
            ("$1\r\na\r\r", .lineEnd), ("$-2\r\n", .length), ("*-2\r\n", .length), ("$1048577\r\n", .length),
            ("$9223372036854775807\r\n", .length), ("*9223372036854775807\r\n", .tooManyElements),
            ("*1025\r\n", .tooManyElements),
        ] as [(String, ReplyFault)])
    func `bytes that are not a reply are refused, with the kind of fault`(text: String, expected: ReplyFault) {
        #expect(Parsing(text).fault == expected)
        #expect(Parsing("+OK\r\n" + text).replies == [.simple(utf8("OK"))])
        for pieces in cuts(of: utf8(text)) { #expect(Parsing(pieces).fault == expected) }
    }

    @Test func `replies before a fault are returned`() {
        let parsing = Parsing(":1\r\n:2\r\n!")
        #expect(parsing.replies == [.integer(1), .integer(2)])
        #expect(parsing.fault == .type)
    }
}
