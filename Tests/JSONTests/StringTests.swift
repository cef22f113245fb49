import JSON
import TestSupport
import Testing

struct StringTests {
    @Test(arguments: [
        ("", 0), ("a", 1), ("é", 1), ("€", 1), ("😀", 1), (#"\ud83d\ude00"#, 1), (#"\uD83D\uDE00"#, 1), ("e\u{301}", 2),
        (#"\u0065\u0301"#, 2), ("👩‍👩‍👧", 5), ("🇩🇪", 2), (#"\n"#, 1), (#"\u0000"#, 1), (#"a\"b"#, 3), ("日本語", 3),
        (#"\\u0041"#, 6), ("\u{7F}", 1), ("\u{FFFF}", 1), ("\u{10FFFF}", 1), ("12345678é12345678😀", 18),
    ])
    func `characters are counted as Unicode scalar values`(content: String, count: Int) {
        #expect(StringText(content).string?.scalars == count)
    }

    @Test(arguments: [
        (#"\""#, "\""), (#"\\"#, "\\"), (#"\/"#, "/"), (#"\b"#, "\u{8}"), (#"\f"#, "\u{C}"), (#"\n"#, "\n"),
        (#"\r"#, "\r"),
        (#"\t"#, "\t"), (#"\u0041"#, "A"), (#"\u00e9"#, "é"), (#"\u00E9"#, "é"), (#"\u20ac"#, "€"),
        (#"\uFFFF"#, "\u{FFFF}"),
        (#"\ud83d\ude00"#, "😀"), (#"\uDBFF\uDFFF"#, "\u{10FFFF}"), (#"\uD800\uDC00"#, "\u{10000}"), (#"\u0000"#, "\0"),
        (#"a\u0062c\\d\/é"#, #"abc\d/é"#), (#"\u005c\u0022"#, #"\""#), (#"\ufeff"#, "\u{FEFF}"),
    ])
    func `escapes are replaced by the characters they stand for`(content: String, expected: String) {
        let text = StringText(content)
        #expect(text.text == utf8(expected))
        #expect(text.string?.hasEscapes == true)
        #expect(text.string?.scalars == expected.unicodeScalars.count)
        #expect(text.string?.hasNull == expected.unicodeScalars.contains("\0"))
    }

    @Test func `a string without escapes is taken as it is`() {
        let text = StringText("plain é😀 text")
        #expect(text.text == utf8("plain é😀 text"))
        #expect(text.string?.hasEscapes == false)
        #expect(text.string?.hasNull == false)
        #expect(text.length == "plain é😀 text".utf8.count)
    }

    @Test(
        arguments: [
            (#"\x41"#, .escape), (#"\a"#, .escape), (#"\0"#, .escape), (#"\v"#, .escape), (#"\'"#, .escape),
            (#"\U0041"#, .escape),
            (#"\N"#, .escape), ("\\\n", .escape), ("\\é", .escape), ("\\\0", .escape), (#"\u004"#, .escape),
            (#"\u00g0"#, .escape),
            (#"\u+041"#, .escape), (#"\u 041"#, .escape), (#"\u-041"#, .escape), (#"\u{41}"#, .escape),
            (#"\u004１"#, .escape),
            (#"\ud83d"#, .surrogate), (#"\ude00"#, .surrogate), (#"\ud83dx"#, .surrogate), (#"\ud83d\n"#, .surrogate),
            (#"\ud83d\ud83d"#, .surrogate), (#"\ud83d\u0041"#, .surrogate), (#"\ude00\ud83d"#, .surrogate),
            (#"\udc00\udc00"#, .surrogate), (#"\ud83d\ue000"#, .surrogate), (#"\ud83d\udbff"#, .surrogate),
            (#"\ud83d\\ude00"#, .surrogate), (#"\ud83d\ug000"#, .escape), (#"\ud83d😀"#, .surrogate),
        ] as [(String, JSONFault.Kind)])
    func `an unknown escape or a lone surrogate is refused`(content: String, expected: JSONFault.Kind) {
        #expect(StringText(content).fault?.kind == expected)
        #expect(!Reference.accepts(StringText(content).bytes))
    }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
            [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], [0xF0, 0x80, 0x80, 0xAF], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x9F, 0x98],
            [0xF0, 0x28, 0x8C, 0xBC], [0xF0, 0x9F, 0x28, 0x80], [0xF0, 0x9F, 0x98, 0x28], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], [0xFE],
            [0xFF],
        ] as [[UInt8]])
    func `invalid UTF-8 is refused where it begins`(sequence: [UInt8]) {
        #expect(StringText(sequence).fault == JSONFault(.utf8, at: 0))
        #expect(StringText(utf8("1234567") + sequence).fault == JSONFault(.utf8, at: 7))
        #expect(StringText(utf8("12345678é") + sequence + utf8("12345678")).fault == JSONFault(.utf8, at: 10))
    }

    // MARK: Against the standard library

    /// Whether the reader and the standard library agree on a content without quotation marks or backslashes.
    private func agrees(_ content: [UInt8]) -> Bool {
        let isText = String(validating: content, as: UTF8.self) != nil && content.allSatisfy { $0 >= 0x20 }
        return (StringText(content).length == content.count) == isText
    }

    @Test func `the reader agrees with the standard library on every pair of bytes as UTF-8`() {
        for first in UInt8(0x80)...0xFF {
            let wrong = (UInt8.min...UInt8.max).filter { $0 != 0x22 && $0 != 0x5C && !agrees([first, $0]) }
            #expect(wrong.isEmpty, "\(first)")
        }
    }

    @Test func `the reader agrees with the standard library on longer sequences as UTF-8`() {
        let edges: [UInt8] = [0x7F, 0x80, 0xBF, 0xC0]
        for first in UInt8(0xE0)...0xF5 {
            for second in stride(from: UInt8(0x7F), through: 0xC0, by: 1) {
                for third in edges {
                    let isRight =
                        agrees([first, second, third]) && edges.allSatisfy { agrees([first, second, third, $0]) }
                    if !isRight { Issue.record("\(first) \(second) \(third)") }
                }
            }
        }
    }

    @Test func `an escaped UTF-16 unit is its scalar, or a fault if it is a surrogate`() {
        for unit in stride(from: UInt16.min, to: .max, by: 7) {
            let digits = String(unit, radix: 16)
            let text = StringText(#"\u"# + String(repeating: "0", count: 4 - digits.count) + digits)
            let isRight =
                if let scalar = Unicode.Scalar(unit) { text.text == utf8(String(scalar)) } else {
                    text.fault?.kind == .surrogate
                }
            if !isRight { Issue.record("\(digits)") }
        }
    }

    @Test func `an escaped surrogate pair is one scalar`() {
        for value in stride(from: UInt32(0x10000), through: 0x10FFFF, by: 509) {
            let text = String(Unicode.Scalar(value)!)
            let escaped = text.utf16.map { #"\u"# + String($0, radix: 16) }.joined()
            let found = StringText(escaped)
            if found.text != utf8(text) || found.string?.scalars != 1 { Issue.record("\(escaped)") }
        }
    }

    // MARK: Eight bytes at a time

    @Test(arguments: 0..<8)
    func `a byte that ends or spoils a string is found at any offset`(spaces: Int) {
        for place in 0..<17 {
            for byte in UInt8.min...UInt8.max {
                let content = Array(repeating: UInt8(0x7F), count: place) + [byte] + utf8("~~~~~~~~~")
                let text = StringText(content, afterSpaces: spaces)
                let isRight: Bool
                switch byte {
                case 0x22: isRight = text.length == place
                case 0x5C: isRight = text.fault == JSONFault(.escape, at: place)
                case 0..<0x20: isRight = text.fault == JSONFault(.controlCharacter, at: place)
                case 0x80...: isRight = text.fault == JSONFault(.utf8, at: place)
                default: isRight = text.length == content.count && text.string?.scalars == content.count
                }
                if !isRight { Issue.record("\(byte) at \(place)") }
            }
        }
    }

    @Test func `a borrow from the neighbouring byte neither hides nor adds a finding`() {
        // Subtraction in the word borrows from the byte above: these stand where a borrow could add or hide a finding.
        let bytes: [UInt8] = [0x00, 0x01, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x5B, 0x5C, 0x5D, 0x7F, 0x80, 0xFF]
        for a in bytes { for b in bytes { for c in bytes { check([a, b, c]) } } }
    }

    private func check(_ bytes: [UInt8]) {
        // A backslash before a quotation mark or another backslash is an escape, not a finding.
        guard !zip(bytes, bytes.dropFirst()).contains(where: { $0 == 0x5C && ($1 == 0x22 || $1 == 0x5C) }) else {
            return
        }
        for place in [0, 3, 5] {
            let content = utf8(String(repeating: "~", count: place)) + bytes + utf8("~~~~~~")
            let first = content.firstIndex { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C || $0 >= 0x80 }
            let text = StringText(content)
            let found = text.fault?.offset ?? text.length
            if found != first ?? content.count { Issue.record("\(content)") }
        }
    }

    @Test func `an unterminated string of any length is an unexpected end`() {
        for length in 0..<20 {
            let bytes = utf8(#"{""# + String(repeating: "x", count: length))
            #expect(fault(in: bytes) == JSONFault(.unexpectedEnd, at: bytes.count))
            #expect(fault(in: bytes + utf8("\\")) == JSONFault(.unexpectedEnd, at: bytes.count + 1))
        }
    }
}
