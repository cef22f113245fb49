import JSON
import TestSupport
import Testing

struct WriterTests {
    private func content(_ text: String) -> String {
        var json: [UInt8] = []
        json.append(jsonContent: utf8(text).span)
        return json.text
    }

    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("\"", #"\""#), ("\\", #"\\"#), ("/", "/"), ("a\nb\rc\td", #"a\nb\rc\td"#),
        ("\0\u{1F}\u{8}\u{C}", #"\u0000\u001f\u0008\u000c"#), ("\u{7F}é€😀\u{2028}", "\u{7F}é€😀\u{2028}"),
        ("\"\"", #"\"\""#), ("x\"", #"x\""#), ("\"x", #"\"x"#),
    ])
    func `only characters that must be escaped are escaped`(text: String, expected: String) {
        #expect(content(text) == expected)
    }

    @Test func `a string is written in quotation marks`() {
        var json = utf8("[")
        json.append(jsonString: "a\"b")
        json.append(jsonString: utf8("é").span)
        #expect(json.text == #"["a\"b""é""#)
    }

    @Test func `written text is read back unchanged`() {
        var random = SplitMix64(seed: 1)
        let scalars: [Unicode.Scalar] = [
            "\0", "\u{1F}", " ", "\"", "\\", "/", "a", "u", "0", "\u{7F}", "é", "€", "😀", "\u{10FFFF}",
        ]
        for _ in 0..<3000 {
            let text = String(String.UnicodeScalarView((0..<random.below(24)).map { _ in random.pick(scalars) }))
            let read = StringText(content(text))
            let isSame = read.text == utf8(text) && read.string?.scalars == text.unicodeScalars.count
            if !isSame { Issue.record("\(text.debugDescription)") }
        }
    }
}
