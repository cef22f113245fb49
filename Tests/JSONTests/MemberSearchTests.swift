import JSON
import TestSupport
import Testing

/// The quick search, compared with the strict reader.
struct MemberSearchTests {
    private func find(_ name: StaticString, in text: [UInt8]) -> [UInt8]? {
        text.span.findString(named: name, limit: 100).map { $0.text(from: text.span) }
    }

    private func find(in text: String) -> String? { find("tenant_id", in: utf8(text))?.text }

    @Test(arguments: [
        (#"{"tenant_id":"acme"}"#, "acme"), (#" { "tenant_id" : "acme" } "#, "acme"),
        (#"{"a":1,"b":[1,{"tenant_id":"no"}],"c":{"tenant_id":"no"},"tenant_id":"acme"}"#, "acme"),
        (#"{"a":"tenant_id","tenant_id":"acme"}"#, "acme"),
        (#"{"a":"\"tenant_id\":\"no\"","tenant_id":"acme"}"#, "acme"),
        (#"{"tenant\u005fi\u0064":"\u0061cme"}"#, "acme"),
        (#"{"tenant_i":"no","tenant_idx":"no","tenant_id":"é😀"}"#, "é😀"),
        (#"{"x":"long enough to be passed over eight bytes at a time \\","tenant_id":"acme"}"#, "acme"),
        (#"{"x":-1.5e3,"y":[true,false,null],"z":{},"tenant_id":""}"#, ""),
    ])
    func `the outermost object's string is found`(text: String, expected: String) {
        #expect(find(in: text) == expected)
    }

    @Test(arguments: [
        "", " ", "{}", "[]", #"["tenant_id"]"#, #"{"tenant_id":1}"#, #"{"tenant_id":null,"tenant_id":"acme"}"#,
        #"{"x":{"tenant_id":"no"}}"#, #"{"x":"tenant_id"}"#, #"{"tenant_id"}"#, #"{"tenant_id":"acme"#,
        #"{"tenant_id""#,
        #"{"x":1}{"tenant_id":"acme"}"#, #"{"tenant_id":"\q"}"#, #"{"tenant_i\"#, #"{"tenant_i\u006"#,
        "{\"tenant_id\":\"a\u{1}\"}", #""tenant_id":"acme""#, "\u{FEFF}{\"tenant_id\":\"acme\"}",
    ])
    func `nothing is found where the member is missing or the JSON is invalid`(text: String) {
        #expect(find(in: text) == nil)
    }

    @Test func `nesting has the strict reader's limit`() {
        func nested(_ levels: Int) -> String {
            let open = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
            return #"{"x":\#(open),"tenant_id":"acme"}"#
        }
        #expect(find(in: nested(JSONReader.depthLimit - 1)) == "acme")
        #expect(find(in: nested(JSONReader.depthLimit)) == nil)
    }

    @Test(arguments: ["a", "é", "票", "😀", #"\n"#, #"\u00e9"#, #"\ud83d\ude00"#])
    func `a string has at most as many characters as the limit, whatever they take`(character: String) {
        func claimed(_ count: Int) -> String {
            #"{"tenant_id":"\#(String(repeating: character, count: count))","x":""}"#
        }
        #expect(find(in: claimed(100))?.unicodeScalars.count == 100)
        #expect(find(in: claimed(101)) == nil)
    }

    /// Whether the strict reader accepts the whole text, and the string that it then finds as `k`.
    private func strict(_ bytes: [UInt8]) -> (isJSON: Bool, found: [UInt8]?) {
        guard fault(in: bytes) == nil else { return (false, nil) }
        var reader = JSONReader()
        var found: [[UInt8]?] = []
        do throws(JSONFault) {
            try reader.beginObject(in: bytes.span)
            while let key = try reader.nextKey(in: bytes.span) {
                let isString = try reader.type(in: bytes.span) == .string
                if key.text(from: bytes.span) == utf8("k") {
                    found.append(isString ? try reader.string(in: bytes.span).text(from: bytes.span) : nil)
                    if isString { continue }
                }
                try reader.skipValue(in: bytes.span)
            }
        } catch {
            return (false, nil)
        }
        return (true, found.first ?? nil)
    }

    @Test(arguments: 0..<3)
    func `in valid JSON it finds what the strict reader finds`(seed: Int) {
        let original = utf8(
            [
                #"{"a":[{"k":"x"},"k"],"k":"value","b":{"k":1}}"#,
                #" { "j" : "\\" , "\u006b" : "v\u00e9" , "l" : {} } "#,
                #"{"k":{"k":"no"},"x":"k"}"#,
            ][seed])
        let tokens = ["{", "}", "[", "]", ",", ":", "\"", "\\", "\\u006b", "k", #""k":"w","#, "1", " "].map { utf8($0) }
        var random = SplitMix64(seed: UInt64(seed))
        var accepted = 0
        for _ in 0..<25_000 {
            let bytes = random.spoil(original, with: tokens)
            let found = find("k", in: bytes)
            let (isJSON, expected) = strict(bytes)
            guard isJSON else { continue }
            accepted += 1
            if found != expected { Issue.record("\(bytes.text): \(String(describing: found?.text))") }
        }
        #expect(accepted > 200)
    }
}
