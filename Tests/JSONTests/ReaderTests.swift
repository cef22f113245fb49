import JSON
import TestSupport
import Testing

struct ReaderTests {
    // MARK: Whole texts

    @Test(arguments: [
        "{}", " \t\r\n{ \t\r\n} \t\r\n", #"{"a":1}"#, #"{"a":1,"b":2}"#, #"{ "a" : 1 , "b" : [ ] }"#, #"{"":""}"#,
        #"{"a":{},"b":{"c":{}}}"#, #"{"a":[[],[[]],{}]}"#, #"{"a":{"k":1},"b":{"k":1}}"#,
    ])
    func `a valid object is accepted`(text: String) {
        #expect(fault(in: text) == nil)
        #expect(Reference.accepts(utf8(text)))
    }

    @Test(arguments: [
        ("", JSONFault(.unexpectedEnd, at: 0)), ("  ", JSONFault(.unexpectedEnd, at: 2)),
        ("[]", JSONFault(.unexpectedByte, at: 0)), ("1", JSONFault(.unexpectedByte, at: 0)),
        (#""{}""#, JSONFault(.unexpectedByte, at: 0)), ("null", JSONFault(.unexpectedByte, at: 0)),
        ("\u{FEFF}{}", JSONFault(.byteOrderMark, at: 0)), ("\u{FEFF}", JSONFault(.byteOrderMark, at: 0)),
        (" \u{FEFF}{}", JSONFault(.unexpectedByte, at: 1)), ("{}\u{FEFF}", JSONFault(.trailingBytes, at: 2)),
        ("\u{A0}{}", JSONFault(.unexpectedByte, at: 0)), ("\u{B}{}", JSONFault(.unexpectedByte, at: 0)),
        ("\u{C}{}", JSONFault(.unexpectedByte, at: 0)), ("\0{}", JSONFault(.unexpectedByte, at: 0)),
        ("{}{}", JSONFault(.trailingBytes, at: 2)), ("{} x", JSONFault(.trailingBytes, at: 3)),
        ("{}\0", JSONFault(.trailingBytes, at: 2)), ("{},", JSONFault(.trailingBytes, at: 2)),
        ("{}}", JSONFault(.trailingBytes, at: 2)), ("{} // end", JSONFault(.trailingBytes, at: 3)),
        ("/* a */{}", JSONFault(.unexpectedByte, at: 0)), ("{/**/}", JSONFault(.unexpectedByte, at: 1)),
        ("{]", JSONFault(.unexpectedByte, at: 1)), ("}", JSONFault(.unexpectedByte, at: 0)),
        ("{,}", JSONFault(.unexpectedByte, at: 1)), (#"{"a":1,}"#, JSONFault(.unexpectedByte, at: 7)),
        (#"{"a":1,,"b":2}"#, JSONFault(.unexpectedByte, at: 7)), (#"{,"a":1}"#, JSONFault(.unexpectedByte, at: 1)),
        (#"{"a":1 "b":2}"#, JSONFault(.unexpectedByte, at: 7)), (#"{"a":1;"b":2}"#, JSONFault(.unexpectedByte, at: 6)),
        (#"{"a"}"#, JSONFault(.unexpectedByte, at: 4)), (#"{"a":}"#, JSONFault(.unexpectedByte, at: 5)),
        (#"{"a",1}"#, JSONFault(.unexpectedByte, at: 4)), (#"{"a"::1}"#, JSONFault(.unexpectedByte, at: 5)),
        (#"{:1}"#, JSONFault(.unexpectedByte, at: 1)), (#"{a:1}"#, JSONFault(.unexpectedByte, at: 1)),
        (#"{'a':1}"#, JSONFault(.unexpectedByte, at: 1)), (#"{1:1}"#, JSONFault(.unexpectedByte, at: 1)),
        (#"{null:1}"#, JSONFault(.unexpectedByte, at: 1)), (#"{"a":1"#, JSONFault(.unexpectedEnd, at: 6)),
        (#"{"a":1]"#, JSONFault(.unexpectedByte, at: 6)), ("{", JSONFault(.unexpectedEnd, at: 1)),
    ])
    func `text that is not one object is refused, with the fault's place`(text: String, expected: JSONFault) {
        #expect(fault(in: text) == expected)
        #expect(!Reference.accepts(utf8(text)))
    }

    // MARK: Values

    @Test(arguments: [
        "0", "-0", "1", "-1", "10", "1234567890", "0.0", "0.10", "-0.5", "1e1", "1E1", "1e+1", "1e-1", "0e0", "0E+00",
        "1.5e10", "123456789012345678901234567890", "1e999999", "-0.0e-0", "true", "false", "null", #""""#, "[]", "[0]",
        "[1,2]", "[ 1 , 2 ]", "[[[]]]", "{}", #"["a",{"b":[null,true,false]}]"#, "[1,1,1]",
    ])
    func `a valid value is accepted`(value: String) {
        #expect(fault(inValue: value) == nil)
        #expect(Reference.accepts(utf8(#"{"a":"# + value + "}")))
    }

    @Test(
        arguments: [
            ("-", .number), ("-a", .number), ("01", .number), ("-01", .number), ("00", .number), ("1.", .number),
            ("1.e1", .number), ("1e", .number), ("1e+", .number), ("1E-", .number), ("0.", .number), ("-.5", .number),
            ("--1", .number), (".5", .unexpectedByte), ("+1", .unexpectedByte), ("0x1", .unexpectedByte),
            ("1_000", .unexpectedByte), ("1.5.5", .unexpectedByte), ("1e1.5", .unexpectedByte), ("1a", .unexpectedByte),
            ("1 2", .unexpectedByte), ("٣", .unexpectedByte), ("１", .unexpectedByte), ("NaN", .unexpectedByte),
            ("nan", .unexpectedByte), ("Infinity", .unexpectedByte), ("-Infinity", .number), ("True", .unexpectedByte),
            ("TRUE", .unexpectedByte), ("tru", .unexpectedByte), ("trux", .unexpectedByte), ("truee", .unexpectedByte),
            ("nul", .unexpectedByte), ("nulll", .unexpectedByte), ("fals", .unexpectedByte), ("falsy", .unexpectedByte),
            ("undefined", .unexpectedByte), ("'a'", .unexpectedByte), ("a", .unexpectedByte), ("[", .unexpectedByte),
            ("[1", .unexpectedByte), ("[1,", .unexpectedByte), ("[1,]", .unexpectedByte), ("[,1]", .unexpectedByte),
            ("[,]", .unexpectedByte), ("[1,,2]", .unexpectedByte), ("[1 2]", .unexpectedByte),
            ("[1:2]", .unexpectedByte),
            ("]", .unexpectedByte), ("[1}", .unexpectedByte), (#"["a":1]"#, .unexpectedByte), ("{1}", .unexpectedByte),
            (#"{"b":1,}"#, .unexpectedByte), ("1//", .unexpectedByte), ("1/**/", .unexpectedByte),
            ("#", .unexpectedByte),
            (#"{"k":1,"k":2}"#, .duplicateKey), (#"[{"k":1,"k":1}]"#, .duplicateKey),
            (#"{"k":1,"\u006b":1}"#, .duplicateKey),
            (#"{"x":{"k":1,"j":{"k":1},"k":1}}"#, .duplicateKey), (#"{"":0,"":0}"#, .duplicateKey),
            (#"{"é":0,"\u00E9":0}"#, .duplicateKey), (#"{"😀":0,"\ud83d\uDE00":0}"#, .duplicateKey),
        ] as [(String, JSONFault.Kind)])
    func `an invalid value is refused, with the kind of fault`(value: String, expected: JSONFault.Kind) {
        #expect(fault(inValue: value)?.kind == expected)
        #expect(!Reference.accepts(utf8(#"{"a":"# + value + "}")))
    }

    @Test func `canonically equivalent keys are different keys`() {
        #expect(fault(inValue: #"{"\u00e9":0,"e\u0301":0}"#) == nil)
    }

    @Test func `duplicate keys of the outermost object are left to the caller`() {
        #expect(fault(in: #"{"a":1,"a":2}"#) == nil)
    }

    @Test func `a duplicate key is reported at its second occurrence`() {
        #expect(fault(inValue: #"{"k":1,"k":2}"#) == JSONFault(.duplicateKey, at: 13))
    }

    @Test(arguments: [
        ("\"a\"", JSONType.string), ("1", .number), ("-1", .number), ("{}", .object), ("[]", .array),
        ("true", .boolean),
        ("false", .boolean), ("null", .null),
    ])
    func `the first byte of a value determines its type`(value: String, expected: JSONType) throws {
        let bytes = utf8(#"{"a": "# + value + "}")
        var reader = JSONReader()
        try reader.beginObject(in: bytes.span)
        _ = try reader.nextKey(in: bytes.span)
        #expect(reader.position == 6)
        let found = try reader.type(in: bytes.span)
        #expect(found == expected)
        try reader.skipValue(in: bytes.span)
        #expect(reader.position == bytes.count - 1)
        let next = try reader.nextKey(in: bytes.span)
        #expect(next == nil)
        try reader.end(in: bytes.span)
    }

    // MARK: Depth

    private func nested(_ open: String, _ close: String, levels: Int) -> String {
        String(repeating: open, count: levels) + "0" + String(repeating: close, count: levels)
    }

    @Test(arguments: [("[", "]"), (#"{"k":"#, "}"), (#"[0,{"k":["#, "]}]")])
    func `32 levels of nesting are accepted, and no more`(open: String, close: String) {
        let levels = open.filter { "[{".contains($0) }.count
        // The outermost object is the first level.
        let most = (JSONReader.depthLimit - 1) / levels
        #expect(JSONReader.depthLimit == 32)
        #expect(fault(inValue: nested(open, close, levels: most)) == nil)
        #expect(Reference.accepts(utf8(#"{"a":"# + nested(open, close, levels: most) + "}")))
        #expect(fault(inValue: nested(open, close, levels: most + 1))?.kind == .tooDeep)
        #expect(!Reference.accepts(utf8(#"{"a":"# + nested(open, close, levels: most + 1) + "}")))
    }

    @Test func `the depth of one value does not count for the next`() {
        let deep = nested("[", "]", levels: 31)
        #expect(fault(inValue: "[" + nested("[", "]", levels: 30) + "," + nested("[", "]", levels: 30) + "]") == nil)
        #expect(fault(in: #"{"a":\#(deep),"b":\#(deep),"c":\#(deep)}"#) == nil)
    }

    @Test func `100,000 levels of nesting are refused as too deep`() {
        #expect(fault(inValue: String(repeating: "[", count: 100_000))?.kind == .tooDeep)
        #expect(fault(inValue: String(repeating: #"{"":"#, count: 100_000))?.kind == .tooDeep)
    }

    // MARK: Ends

    @Test func `an object cut off at any byte is refused`() {
        let text = #" {"a":"é😀\n\u00e9\ud83d\ude00","b":[1,-0.5e+10,true,false,null,{"c":[]}],"d":{"e":{}}}"#
        let bytes = utf8(text)
        #expect(fault(in: bytes) == nil)
        for end in bytes.indices {
            let found = fault(in: Array(bytes[..<end]))
            let isAnEnd = found.map { [.unexpectedEnd, .utf8, .surrogate].contains($0.kind) && $0.offset <= end }
            #expect(isAnEnd == true, "\(end): \(String(describing: found))")
        }
    }

    @Test func `outside a string any stray byte but white space is refused`() {
        for byte in UInt8.min...UInt8.max {
            let isSpace = [0x20, 0x09, 0x0A, 0x0D].contains(byte)
            #expect((fault(in: [byte] + utf8("{}")) == nil) == isSpace)
            #expect((fault(in: utf8("{}") + [byte]) == nil) == isSpace)
            #expect(
                (fault(in: utf8(#"{"a":1"#) + [byte] + utf8("}")) == nil) == (isSpace || (0x30...0x39).contains(byte)))
        }
    }

    @Test func `every kind of fault has its own message`() {
        #expect(Set(JSONFault.Kind.allCases.map(\.rawValue)).count == 11)
    }
}
