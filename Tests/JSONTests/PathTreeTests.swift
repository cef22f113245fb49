import TestSupport
import Testing

@testable import JSON

/// Values at many paths.
struct PathTreeTests {
    private func read(_ json: String, _ paths: [String]) -> (values: [String], strangers: [String]) {
        let tree = PathTree(paths.map { JSONPath(utf8($0))! })
        let bytes = utf8(json)
        var strangers: [String] = []
        do throws(JSONFault) {
            let values = try tree.values(in: bytes.span) { keys, key in
                let keys = keys + [key.text(from: bytes.span)]
                strangers.append(keys.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "."))
            }
            return (
                values.map { value in
                    switch value {
                    case .absent: "absent"
                    case .null: "null"
                    case .string(let string): String(decoding: string.text(from: bytes.span), as: UTF8.self)
                    case .number(let range): String(decoding: bytes[range], as: UTF8.self)
                    case .other(let type): "\(type)"
                    case .blocked(let level): "blocked \(level)"
                    }
                }, strangers
            )
        } catch {
            return (["\(error.kind.rawValue) at \(error.offset)"], [])
        }
    }

    @Test func `each path gets what is there`() {
        let json = #"{"a":{"b":"x","c":{"d":-1.5},"e":null},"f":[1],"\u0067":true,"h":{}}"#
        #expect(
            read(json, ["a.b", "a.c.d", "a.c", "a.e", "a.e.f", "f", "g", "h", "h.i", "j", "f.0", "a.b.c.d"]).values
                == [
                    "x", "-1.5", "object", "null", "absent", "array", "boolean", "object", "absent", "absent",
                    "blocked 1", "blocked 2",
                ])
    }

    @Test func `strangers are the members that no path leads to or through`() {
        let json = #"{"a":{"b":1,"x":{"y":1}},"z":2}"#
        #expect(read(json, ["a.b", "c"]).strangers == ["a.x", "z"])
        #expect(read(json, ["a.b", "a.x.y", "z"]).strangers == [])
    }

    @Test(arguments: [
        (#"{"a":1,"a":2}"#, "duplicate key at 8"), (#"{"x":1,"x":2}"#, "duplicate key at 8"),
        (#"{"a":{"b":1,"b":2}}"#, "duplicate key at 13"), (#"{"x":{"b":1,"b":2}}"#, "duplicate key at 13"),
        (#"{"a":1}}"#, "trailing data at 7"), ("[]", "unexpected byte at 0"),
        (#"{"a":{"b":"#, "unexpected end of input at 10"),
    ])
    func `the whole text is read strictly`(json: String, fault: String) {
        #expect(read(json, ["a.b"]).values == [fault])
    }

    @Test func `a value at a path is asked for by its path`() {
        let paths = ["a.b", "c"].map { JSONPath(utf8($0))! }
        let tree = PathTree(paths)
        let values: [PathValue] = [.null, .other(.array)]
        #expect(tree.value(at: paths[1], among: values) == .other(.array))
        #expect(tree.value(at: JSONPath(utf8("a"))!, among: values) == .absent)
        #expect(tree.value(at: JSONPath(utf8("a.c"))!, among: values) == .absent)
        #expect(tree.paths.map(\.text) == ["a.b", "c"] && paths[0].text(first: 1) == "a")
    }
}
