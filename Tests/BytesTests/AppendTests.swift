import Bytes
import TestSupport
import Testing

struct AppendTests {
    private func text(_ build: (inout [UInt8]) -> Void) -> String {
        var bytes: [UInt8] = utf8("<")
        build(&bytes)
        return (bytes + utf8(">")).text
    }

    @Test(arguments: [0, 1, 9, 10, 99, 1_234_567_890, .max, -1, -10, .min])
    func `a decimal number is written as Swift writes it`(number: Int64) {
        #expect(text { $0.append(decimal: number) } == "<\(number)>")
    }

    @Test func `integers of other widths are written in full`() {
        #expect(text { $0.append(decimal: UInt64.max) } == "<18446744073709551615>")
        #expect(text { $0.append(decimal: Int8.min) } == "<-128>")
    }

    @Test(arguments: [
        (0, 4, "0000"), (7, 2, "07"), (2026, 4, "2026"), (12_345, 4, "2345"), (5, 0, ""), (1, 6, "000001"),
    ])
    func `a padded number is filled or cut to its width`(number: Int, width: Int, expected: String) {
        #expect(text { $0.append(decimal: number, width: width) } == "<\(expected)>")
    }

    @Test func `bytes and a literal are appended between two literals, any of which may be empty`() {
        for before: StaticString in ["", "a", "[\"é\":"] {
            for middle: StaticString in ["", "b", "0123456789012345678901234567890123456789"] {
                for after: StaticString in ["", "c", "\"}]"] {
                    #expect(text { $0.append(before, middle, after) } == "<\(before)\(middle)\(after)>")
                    #expect(text { $0.append(before, utf8("\(middle)").span, after) } == "<\(before)\(middle)\(after)>")
                }
            }
        }
        var empty: [UInt8] = []
        let nothing: [UInt8] = []
        empty.append("", nothing.span, "")
        #expect(empty == [])
    }

    @Test func `every byte is written as two lower-case hexadecimal digits`() {
        for byte in UInt8.min...UInt8.max {
            var bytes: [UInt8] = []
            bytes.append(hex: byte)
            #expect(bytes.count == 2 && UInt8(bytes.text, radix: 16) == byte && bytes.text == bytes.text.lowercased())
        }
    }

    @Test func `bytes are written as hexadecimal digits one after the other`() {
        let bytes: [UInt8] = [0x00, 0x0F, 0xA0, 0xFF]
        #expect(text { $0.append(hex: bytes.span) } == "<000fa0ff>")
        let digits = hexadecimal(bytes.span)
        #expect(digits.text == "000fa0ff")
    }

    @Test func `literals, strings and spans are appended in full`() {
        #expect(text { $0.append("é") } == "<é>")
        #expect(text { $0.append(text: "é") } == "<é>")
        #expect(text { $0.append(utf8("é\0").span) } == "<é\0>")
        #expect(text { $0.append([UInt8]().span) } == "<>")
    }
}
