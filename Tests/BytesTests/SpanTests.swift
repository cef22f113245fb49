import Bytes
import TestSupport
import Testing

struct SpanTests {
    @Test(arguments: [
        ("0", 0), ("7", 7), ("0010", 10), ("131072", 131_072), ("999999999999999999", 999_999_999_999_999_999),
    ])
    func `1 to 18 digits are a number`(text: String, number: Int) {
        let found = utf8(text).span.decimal
        #expect(found == number)
    }

    @Test(arguments: ["", "-1", "+1", " 1", "1 ", "1a", "0x1", "1.0", "٣", "1000000000000000000", "1\0"])
    func `anything but 1 to 18 ASCII digits is not a number`(text: String) {
        let found = utf8(text).span.decimal
        #expect(found == nil)
    }

    // Spans cannot go into the macro's closures.
    private func equals(_ text: String, _ other: StaticString) -> Bool { utf8(text).span.equals(other) }
    private func equals(_ text: String, bytes: String) -> Bool { utf8(text).span.equals(utf8(bytes).span) }
    private func resembles(_ text: String, _ other: StaticString) -> Bool { utf8(text).span.equalsIgnoringCase(other) }
    private func hasPrefix(_ text: String, _ prefix: StaticString) -> Bool { utf8(text).span.hasPrefix(prefix) }

    @Test func `comparison respects length, and case unless it is ignored`() {
        #expect(equals("abC", "abC") && equals("", ""))
        #expect(!equals("abC", "abc") && !equals("abC", "abCd") && !equals("abC", "ab"))
        #expect(equals("abC", bytes: "abC"))
        #expect(!equals("abC", bytes: "abD") && !equals("abC", bytes: "abCd"))
        #expect(resembles("abC", "abc"))
        #expect(!resembles("abC", "abd") && !resembles("abC", "ab"))
        #expect(hasPrefix("abC", "ab") && hasPrefix("abC", "abC") && hasPrefix("abC", ""))
        #expect(!hasPrefix("abC", "abCd") && !hasPrefix("abC", "aB"))
    }

    @Test func `ignoring case folds letters only`() {
        // Each pair differs only in the bit that distinguishes the case of an ASCII letter.
        #expect(!resembles("[", "{") && !resembles("@", "`") && !resembles("\r", "-"))
    }

    @Test func `the first byte of a word is its lowest`() {
        let bytes = (0..<16).map { UInt8($0) }
        let words = [0, 3, 8].map { bytes.span.word(at: $0) }
        #expect(words == [0x0706_0504_0302_0100, 0x0A09_0807_0605_0403, 0x0F0E_0D0C_0B0A_0908])
    }

    @Test func `bytes are classified as ASCII defines them`() {
        for byte in UInt8.min...UInt8.max {
            let scalar = Unicode.Scalar(byte)
            let letter = Character(scalar)
            #expect(byte.isDigit == ("0"..."9").contains(scalar))
            #expect(byte.isVisibleASCII == ("!"..."~").contains(scalar))
            #expect(byte.hexValue.map { Int($0) } == (scalar.isASCII ? letter.hexDigitValue : nil))
            let lower = ("A"..."Z").contains(scalar) ? letter.lowercased() : String(letter)
            #expect(String(Character(Unicode.Scalar(byte.lowercased))) == lower)
        }
    }
}
