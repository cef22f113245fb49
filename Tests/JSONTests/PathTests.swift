import TestSupport
import Testing

@testable import JSON

/// Values at a path.
struct PathTests {
    private func text(_ path: String, in json: String) -> String? {
        guard let path = JSONPath(Array(path.utf8)) else { return "no path" }
        let bytes = Array(json.utf8)
        do throws(JSONFault) {
            return try path.text(in: bytes.span).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            return "fault: \(error.kind.rawValue)"
        }
    }

    @Test(arguments: [
        ("a", #"{"a":"x"}"#, "x"), ("a.b", #"{"c":[1,{"a":2}],"a":{"c":1,"b":"y"}}"#, "y"),
        ("a.b.c", #"{"a":{"b":{"c":-1.50e3}}}"#, "-1.50e3"), ("a", #"{"\u0061":"\u00e9\n"}"#, "é\n"),
        ("Choose Software", #"{"Choose Software":7}"#, "7"), ("é.ü", #"{"é":{"ü":""}}"#, ""),
    ])
    func `a string or a number is found`(path: String, json: String, expected: String) {
        #expect(text(path, in: json) == expected)
    }

    @Test(arguments: [
        ("a", #"{}"#), ("a", #"{"b":"x"}"#), ("a", #"{"a":null}"#), ("a", #"{"a":true}"#), ("a", #"{"a":["x"]}"#),
        ("a.b", #"{"a":"b"}"#), ("a.b", #"{"a":[{"b":"x"}]}"#), ("a.b", #"{"b":"x","a":{}}"#),
        ("a", #"{"x":{"a":"y"}}"#),
    ])
    func `anything else is not found`(path: String, json: String) {
        #expect(text(path, in: json) == nil)
    }

    @Test(arguments: [
        (#"{"a":"x","a":"y"}"#, "duplicate key"), (#"{"a":"x""#, "unexpected end of input"),
        (#"{"a":"x"}}"#, "trailing data"),
        ("[]", "unexpected byte"), (#"{"b":"a "quote"","a":"x"}"#, "unexpected byte"),
        (#"{"a":"x","b":\#(String(repeating: "[", count: 40))}"#, "nested too deeply"),
    ])
    func `what is no JSON is a fault, also after the value`(json: String, fault: String) {
        #expect(text("a", in: json) == "fault: \(fault)")
    }

    @Test(arguments: ["", ".", "a.", ".a", "a..b", "a.b.c.d.e.f.g.h.i"])
    func `a path is 1 to 8 keys that are not empty`(path: String) {
        #expect(text(path, in: "{}") == "no path")
    }

    @Test func `a text cut anywhere is a fault`() {
        let json = #"{"c":[1,{"d":"e"}],"a":{"b":"x","f":{"g":null}},"h":1}"#
        for end in 0..<json.utf8.count {
            #expect(text("a.b", in: String(json.prefix(end)))?.hasPrefix("fault") == true)
        }
    }
}
