import Bytes

/// The type of a value, which its first byte determines.
package enum JSONType {
    case string, number, object, array, boolean, null
}

/// Reads JSON text (RFC 8259) strictly, from its first byte to its last, without building anything.
///
/// It holds a position and no bytes: give the same bytes to every call.
///
///     var reader = JSONReader()
///     try reader.beginObject(in: bytes)
///     while let key = try reader.nextKey(in: bytes) { … read or skip the value … }
///     try reader.end(in: bytes)
package struct JSONReader {
    /// Levels of objects and arrays, at most.
    package static let depthLimit = 32

    package private(set) var position = 0
    private var depth = 0
    /// Whether a member of the object was read already: the next one needs a comma before it.
    private var hasMember = false
    private let checksKeys: Bool

    /// - Parameter checksKeys: whether a key that occurs twice in a nested object is a fault. Remembering the keys takes as
    ///   long as all the rest.
    package init(checksKeys: Bool = true) { self.checksKeys = checksKeys }

    // MARK: The outermost object

    package mutating func beginObject(in bytes: Span<UInt8>) throws(JSONFault) {
        if bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF {
            throw JSONFault(.byteOrderMark, at: 0)
        }
        skipSpace(in: bytes)
        try expect(UInt8(ascii: "{"), in: bytes)
        depth = 1
        hasMember = false
    }

    /// The next member's key, with the position at its value; nil at the end of the object.
    package mutating func nextKey(in bytes: Span<UInt8>) throws(JSONFault) -> JSONString? {
        skipSpace(in: bytes)
        if try peek(in: bytes) == UInt8(ascii: "}") {
            position += 1
            return nil
        }
        if hasMember {
            try expect(UInt8(ascii: ","), in: bytes)
            skipSpace(in: bytes)
        }
        hasMember = true
        let key = try string(in: bytes)
        skipSpace(in: bytes)
        try expect(UInt8(ascii: ":"), in: bytes)
        skipSpace(in: bytes)
        return key
    }

    /// Makes sure that nothing but white space is left.
    package mutating func end(in bytes: Span<UInt8>) throws(JSONFault) {
        skipSpace(in: bytes)
        guard position == bytes.count else { throw JSONFault(.trailingBytes, at: position) }
    }

    /// Reads a whole text, an object in which no key may occur twice.
    ///
    /// - Parameter member: is called for each key, with the position at its value, which it must read or skip.
    package mutating func readText(
        in bytes: Span<UInt8>, _ member: (inout JSONReader, JSONString) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        try beginObject(in: bytes)
        try readUniqueMembers(in: bytes, member)
        try end(in: bytes)
    }

    private mutating func readUniqueMembers(
        in bytes: Span<UInt8>, _ member: (inout JSONReader, JSONString) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        var keys: Set<[UInt8]> = []
        while let key = try nextKey(in: bytes) {
            guard !checksKeys || keys.insert(key.text(from: bytes)).inserted else {
                throw JSONFault(.duplicateKey, at: key.range.lowerBound)
            }
            try member(&self, key)
        }
    }

    // MARK: Values

    /// The type of the value at the position.
    package func type(in bytes: Span<UInt8>) throws(JSONFault) -> JSONType {
        switch try peek(in: bytes) {
        case .quote: return .string
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw JSONFault(.unexpectedByte, at: position)
        }
    }

    /// Reads any value, and checks it as JSON, with no key twice in one object.
    package mutating func skipValue(in bytes: Span<UInt8>) throws(JSONFault) {
        switch try type(in: bytes) {
        case .string: _ = try string(in: bytes)
        case .number: try skipNumber(in: bytes)
        case .object: try skipMembers(in: bytes)
        case .array: try skipElements(in: bytes)
        case .boolean: try skipWord(bytes[position] == UInt8(ascii: "t") ? "true" : "false", in: bytes)
        case .null: try skipWord("null", in: bytes)
        }
    }

    private mutating func skipMembers(in bytes: Span<UInt8>) throws(JSONFault) {
        try readMembers(in: bytes) { reader, _ throws(JSONFault) in try reader.skipValue(in: bytes) }
    }

    private mutating func skipElements(in bytes: Span<UInt8>) throws(JSONFault) {
        try readElements(in: bytes) { reader, _ throws(JSONFault) in try reader.skipValue(in: bytes) }
    }

    /// Reads the object at the position, in which no key may occur twice.
    ///
    /// - Parameter member: is called for each key, with the position at its value, which it must read or skip.
    package mutating func readMembers(
        in bytes: Span<UInt8>, _ member: (inout JSONReader, JSONString) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        let outer = hasMember
        try descend()
        hasMember = false
        position += 1
        try readUniqueMembers(in: bytes, member)
        hasMember = outer
        depth -= 1
    }

    /// Reads the array at the position.
    ///
    /// - Parameter element: is called for each element, with its index and the position at it; it must read or skip it.
    package mutating func readElements(
        in bytes: Span<UInt8>, _ element: (inout JSONReader, Int) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        try descend()
        position += 1
        skipSpace(in: bytes)
        if try peek(in: bytes) == UInt8(ascii: "]") {
            position += 1
        } else {
            var index = 0
            while true {
                skipSpace(in: bytes)
                try element(&self, index)
                index += 1
                skipSpace(in: bytes)
                if try peek(in: bytes) == UInt8(ascii: "]") { break }
                try expect(UInt8(ascii: ","), in: bytes)
            }
            position += 1
        }
        depth -= 1
    }

    private mutating func descend() throws(JSONFault) {
        depth += 1
        guard depth <= JSONReader.depthLimit else { throw JSONFault(.tooDeep, at: position) }
    }

    private mutating func skipWord(_ word: StaticString, in bytes: Span<UInt8>) throws(JSONFault) {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count else { throw JSONFault(.unexpectedEnd, at: bytes.count) }
        guard bytes.extracting(position..<end).equals(word) else { throw JSONFault(.unexpectedByte, at: position) }
        position = end
    }

    /// `-? (0 | 1-9 digits) (. digits)? ((e|E) sign? digits)?`
    private mutating func skipNumber(in bytes: Span<UInt8>) throws(JSONFault) {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let integer = position
        var isWhole = skipDigits(in: bytes) && !(bytes[integer] == UInt8(ascii: "0") && position > integer + 1)
        if isWhole && position < bytes.count && bytes[position] == UInt8(ascii: ".") {
            position += 1
            isWhole = skipDigits(in: bytes)
        }
        if isWhole && position < bytes.count && bytes[position].lowercased == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count && bytes[position].isSign { position += 1 }
            isWhole = skipDigits(in: bytes)
        }
        guard isWhole else { throw JSONFault(position < bytes.count ? .number : .unexpectedEnd, at: start) }
    }

    /// Returns whether there was a digit.
    private mutating func skipDigits(in bytes: Span<UInt8>) -> Bool {
        let start = position
        while position < bytes.count && bytes[position].isDigit { position += 1 }
        return position > start
    }

    /// Reads a string.
    package mutating func string(in bytes: Span<UInt8>) throws(JSONFault) -> JSONString {
        try expect(.quote, in: bytes)
        return try JSONString.scan(bytes, from: &position)
    }

    // MARK: Bytes

    private mutating func skipSpace(in bytes: Span<UInt8>) {
        while position < bytes.count && bytes[position].isJSONSpace { position += 1 }
    }

    private func peek(in bytes: Span<UInt8>) throws(JSONFault) -> UInt8 {
        guard position < bytes.count else { throw JSONFault(.unexpectedEnd, at: position) }
        return bytes[position]
    }

    private mutating func expect(_ byte: UInt8, in bytes: Span<UInt8>) throws(JSONFault) {
        guard try peek(in: bytes) == byte else { throw JSONFault(.unexpectedByte, at: position) }
        position += 1
    }
}

extension UInt8 {
    fileprivate var isSign: Bool { self == UInt8(ascii: "+") || self == UInt8(ascii: "-") }

    /// Whether it may stand between values, keys and punctuation.
    var isJSONSpace: Bool {
        switch self {
        case .space, .lineFeed, .carriageReturn, .tab: true
        default: false
        }
    }
}
