import JSON

/// The fault that a reader finds in a whole text, skipping the outermost object's members; nil if it is valid.
func fault(in bytes: [UInt8]) -> JSONFault? {
    do throws(JSONFault) {
        var reader = JSONReader()
        try reader.beginObject(in: bytes.span)
        while try reader.nextKey(in: bytes.span) != nil { try reader.skipValue(in: bytes.span) }
        try reader.end(in: bytes.span)
        return nil
    } catch {
        return error
    }
}

func fault(in text: String) -> JSONFault? { fault(in: Array(text.utf8)) }

/// The fault in a text that is the value of an object's only member.
func fault(inValue value: String) -> JSONFault? { fault(in: #"{"a":"# + value + "}") }

/// A text with one string, which has `content` between its quotation marks.
struct StringText {
    private static let head = Array(#"{"":""#.utf8)
    let bytes: [UInt8]
    private let start: Int

    init(_ content: [UInt8], afterSpaces spaces: Int = 0) {
        bytes = Array(repeating: 0x20, count: spaces) + StringText.head + content + Array(#""}"#.utf8)
        start = spaces + StringText.head.count
    }

    init(_ content: String) { self.init(Array(content.utf8)) }

    /// The string, or the fault, with its offset counted from the content's first byte.
    var result: Result<JSONString, JSONFault> {
        do throws(JSONFault) {
            var reader = JSONReader()
            try reader.beginObject(in: bytes.span)
            _ = try reader.nextKey(in: bytes.span)
            return .success(try reader.string(in: bytes.span))
        } catch {
            return .failure(JSONFault(error.kind, at: error.offset - start))
        }
    }

    var string: JSONString? { try? result.get() }
    var fault: JSONFault? { if case .failure(let fault) = result { fault } else { nil } }

    /// The string with its escapes replaced.
    var text: [UInt8]? { string.map { $0.text(from: bytes.span) } }

    /// Where the string ends, counted from the content's first byte.
    var length: Int? { string.map { $0.range.upperBound - start } }
}
