import JSON
import TestSupport
import Testing

/// JSON in memory, read and written again.
struct TreeTests {
    private func read(_ text: String) throws(JSONFault) -> JSONTree { try JSONTree(utf8(text).span) }

    private func fault(_ text: String) -> JSONFault? {
        do throws(JSONFault) {
            _ = try read(text)
            return nil
        } catch {
            return error
        }
    }

    @Test func `members and elements keep their order, and are printed with two spaces for each level`() throws {
        let text = #"""
            {
              "z": [
                {
                  "b": 1,
                  "a": "x"
                },
                [],
                {},
                true
              ],
              "a": {
                "y": -20,
                "": false
              }
            }
            """#
        #expect(try read(text).text.text == text)
        let isCompact = { (byte: UInt8) in byte != UInt8(ascii: " ") && byte != UInt8(ascii: "\n") }
        #expect(try read(utf8(text).filter(isCompact).text).text.text == text)
    }

    @Test func `strings keep their characters, however they are escaped`() throws {
        let tree = try read(#"{"\u00e9\"":"\ud83d\ude00\n\\","e\u0301":"é"}"#)
        #expect(tree.text.text == "{\n  \"é\\\"\": \"😀\\n\\\\\",\n  \"e\u{301}\": \"é\"\n}")
    }

    @Test(arguments: ["0", "7", "-1", "123456789012345678", "-123456789012345678"])
    func `whole numbers are read`(number: String) throws {
        #expect(try read(#"{"a":\#(number)}"#).text.text == "{\n  \"a\": \(number)\n}")
    }

    @Test(arguments: ["1.5", "1.0", "1e3", "1234567890123456789", "-1234567890123456789"])
    func `other numbers are kept as they are written`(number: String) throws {
        #expect(try read(#"{"a":\#(number)}"#).text.text == "{\n  \"a\": \(number)\n}")
    }

    @Test(arguments: [
        (#"{"a":null}"#, JSONFault.Kind.unexpectedByte, 5), (#"[]"#, .unexpectedByte, 0), ("", .unexpectedEnd, 0),
        (#"{"a":1,"\u0061":2}"#, .duplicateKey, 8), (#"{"b":{"a":1,"a":2}}"#, .duplicateKey, 13),
        (#"{"a":1} x"#, .trailingBytes, 8), (#"{"a":1,}"#, .unexpectedByte, 7), (#"{"a":[1"#, .unexpectedEnd, 7),
    ])
    func `what is not strict JSON, or has no place in the tree, is refused`(
        text: String, kind: JSONFault.Kind, offset: Int
    ) {
        #expect(fault(text) == JSONFault(kind, at: offset))
    }

    @Test func `a member is changed in its place, added at the end, or removed`() throws {
        var tree = try read(#"{"a":"1","b":[true],"c":{}}"#)
        tree["b"] = 5
        tree["d"] = "new"
        tree["a"] = nil
        tree["none"] = nil
        #expect(tree.members?.map { $0.name } == ["b", "c", "d"])
        #expect(tree["d"]?.string == "new" && tree["d"]?.boolean == nil && tree["none"] == nil)
        #expect(tree["b"]?.string == nil && tree["c"]?.elements == nil && tree["d"]?.members == nil)
        var text: JSONTree = "text"
        text["a"] = 1
        #expect(text.string == "text" && text["a"] == nil)
    }
}
