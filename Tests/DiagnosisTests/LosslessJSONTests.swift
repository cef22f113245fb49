import Testing

@testable import Diagnosis

@Suite struct LosslessJSONTests {
    static let text = #"{"b": [1.50, -0e1, true, null], "a": {"ä/<": "\u00e4\n\ud83d\ude00"}, "c": [], "d": {}}"#

    func written(_ layout: Int, sorted: Bool = false, _ escaping: JSONStyle.Escaping = .none) throws -> String {
        let json = try #require(LosslessJSON(Array(Self.text.utf8)))
        let style = JSONStyle(layout: JSONStyle.Layout.all[layout], isSorted: sorted, escaping: escaping)
        return String(decoding: json.text(style), as: UTF8.self)
    }

    @Test func `numbers keep their digits, members their order`() throws {
        #expect(try written(0) == #"{"b":[1.50,-0e1,true,null],"a":{"ä/<":"ä\n😀"},"c":[],"d":{}}"#)
    }

    @Test func `keys are sorted, and characters escaped, as other programs do it`() throws {
        #expect(
            try written(1, sorted: true, .nonASCII)
                == #"{"a": {"\u00e4/<": "\u00e4\n\ud83d\ude00"}, "b": [1.50, -0e1, true, null], "c": [], "d": {}}"#)
        #expect(try written(0, .slash) == #"{"b":[1.50,-0e1,true,null],"a":{"ä\/<":"ä\n😀"},"c":[],"d":{}}"#)
        #expect(try written(0, .html) == #"{"b":[1.50,-0e1,true,null],"a":{"ä/\u003c":"ä\n😀"},"c":[],"d":{}}"#)
    }

    @Test func `lines are indented`() throws {
        #expect(
            try written(4)
                == "{\n  \"b\": [\n    1.50,\n    -0e1,\n    true,\n    null\n  ],\n  \"a\": {\n    \"ä/<\": \"ä\\n😀\"\n  },\n  \"c\": [],\n  \"d\": {}\n}"
        )
    }

    @Test(arguments: ["", "[]", "{", #"{"a":1}x"#, #"{"a":01}"#])
    func `what is no JSON object is not read`(
        _ text: String
    ) {
        #expect(LosslessJSON(Array(text.utf8)) == nil)
    }
}
