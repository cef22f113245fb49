import JSON
import TestSupport
import Testing

struct FuzzTests {
    private static let seeds = [
        #"{"event":"ticket_created","n":-12.5e+3,"ok":true,"no":[false,null,{}]}"#,
        #"{"description":"é€😀 \u00e9\ud83d\ude00\n\"\\\/","x":{"a":1,"b":{"a":[[],[1,2]]}}}"#,
        #" { "a" : [ 0 , -0 , 0.1 , 1E1 , "" ] , "" : { "k" : "v" , "l" : "v" } } "#,
        #"{"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"#,
    ].map { utf8($0) }

    private static let tokens =
        [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "\\ude00", "\\u0000", "0", "-", ".", "e", "+",
            "true",
            "null", "false", " ", "\n", "\t", "\0", "/*", "é", "😀", "\u{FEFF}", #""k":1,"#, "[[[[", "]]]]", "12345678",
        ].map { utf8($0) } + [[0x80], [0xC0], [0xED, 0xA0, 0x80], [0xF4, 0x90], [0xFF]]

    @Test(arguments: 0..<4)
    func `the reader agrees with the reference on spoilt texts`(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let original = FuzzTests.seeds[seed]
        #expect(fault(in: original) == nil && Reference.accepts(original))
        var accepted = 0
        for _ in 0..<25_000 {
            let bytes = random.spoil(original, with: FuzzTests.tokens)
            let found = fault(in: bytes)
            if found == nil { accepted += 1 }
            if (found == nil) != Reference.accepts(bytes) {
                Issue.record("\(bytes.text): \(String(describing: found))")
            }
            if let found, !(0...bytes.count).contains(found.offset) { Issue.record("\(bytes.text): \(found)") }
        }
        // Unless both verdicts are common, the comparison proves little.
        #expect((250...22_500).contains(accepted))
    }

    @Test func `the reader agrees with the reference on random tokens`() {
        var random = SplitMix64(seed: 99)
        for _ in 0..<25_000 {
            let bytes =
                utf8(#"{"":"#) + (0..<random.below(12)).flatMap { _ in random.pick(FuzzTests.tokens) } + utf8("}")
            if (fault(in: bytes) == nil) != Reference.accepts(bytes) { Issue.record("\(bytes.text)") }
        }
    }

    @Test func `the reader agrees with the reference on random bytes`() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<25_000 {
            let bytes = utf8(#"{""#) + random.bytes(random.below(24))
            if (fault(in: bytes) == nil) != Reference.accepts(bytes) { Issue.record("\(bytes)") }
        }
    }
}
