import Bytes

extension Span<UInt8> {
    /// The string that the outermost object has under a name; nil if it has none.
    ///
    /// One quick pass over bytes that are not trusted yet. It checks no more than it needs to find the member. In JSON
    /// that the strict reader accepts, it finds the same string.
    package func findString(named name: StaticString) -> JSONString? {
        var index = firstIndexAfterSpace(from: 0)
        guard index < count, self[index] == UInt8(ascii: "{") else { return nil }
        index += 1
        // Whether the next string is a key of the outermost object.
        var isAtKey = true
        while index < count {
            let byte = self[index]
            index += 1
            if byte == .quote {
                let start = index
                var hasEscapes = false
                guard let end = stringEnd(from: start, hasEscapes: &hasEscapes) else { return nil }
                index = end + 1
                if isAtKey && matches(start..<end, name, hasEscapes: hasEscapes) { return stringValue(from: index) }
                isAtKey = false
            } else if byte == UInt8(ascii: ",") {
                isAtKey = true
            } else if byte.opensJSON {
                guard let end = endOfNested(from: index) else { return nil }
                index = end
            } else if byte.closesJSON {
                return nil
            }
        }
        return nil
    }

    /// The index after the object or array that begins just before `start`.
    private func endOfNested(from start: Int) -> Int? {
        var index = start
        var depth = 2
        while index < count {
            let byte = self[index]
            index += 1
            if byte == .quote {
                var hasEscapes = false
                guard let end = stringEnd(from: index, hasEscapes: &hasEscapes) else { return nil }
                index = end + 1
                continue
            }
            depth &+= (byte.opensJSON ? 1 : 0) &- (byte.closesJSON ? 1 : 0)
            if depth == 1 { return index }
            if depth > JSONReader.depthLimit { return nil }
        }
        return nil
    }

    /// The string value after a key.
    private func stringValue(from start: Int) -> JSONString? {
        var index = firstIndexAfterSpace(from: start)
        guard index < count, self[index] == UInt8(ascii: ":") else { return nil }
        index = firstIndexAfterSpace(from: index + 1)
        guard index < count, self[index] == .quote else { return nil }
        index += 1
        return try? JSONString.scan(self, from: &index)
    }

    private func firstIndexAfterSpace(from start: Int) -> Int {
        var index = start
        while index < count, self[index].isJSONSpace { index += 1 }
        return index
    }

    /// The index of the quotation mark that ends a string.
    @inline(__always) private func stringEnd(from start: Int, hasEscapes: inout Bool) -> Int? {
        var index = start
        while true {
            index = quoteOrBackslash(from: index)
            guard index < count else { return nil }
            if self[index] == .quote { return index }
            hasEscapes = true
            index += 2
        }
    }

    @inline(__always) private func quoteOrBackslash(from start: Int) -> Int {
        var index = start
        while index + 8 <= count {
            let word = self.word(at: index)
            let found = word.marks(of: .quote) | word.marks(of: .backslash)
            if found != 0 { return index + found.trailingZeroBitCount >> 3 }
            index += 8
        }
        while index < count, self[index] != .quote, self[index] != .backslash { index += 1 }
        return index
    }

    /// Whether a string, its escapes replaced, is `text`, which is ASCII.
    private func matches(_ range: Range<Int>, _ text: StaticString, hasEscapes: Bool) -> Bool {
        guard hasEscapes else { return range.count == text.utf8CodeUnitCount && extracting(range).equals(text) }
        var index = range.lowerBound
        for position in 0..<text.utf8CodeUnitCount {
            guard index < range.upperBound else { return false }
            let byte = self[index]
            var scalar = UInt32(byte)
            var length = 1
            if byte == .backslash {
                guard let escape = try? Escape(self, at: index) else { return false }
                scalar = escape.scalar.value
                length = escape.length
            }
            guard unsafe UInt32(text.utf8Start[position]) == scalar else { return false }
            index += length
        }
        return index == range.upperBound
    }
}

extension UInt8 {
    /// Whether it begins an object or an array: `{` and `[` differ in the case bit.
    fileprivate var opensJSON: Bool { self | .caseBit == UInt8(ascii: "{") }
    /// Whether it ends one.
    fileprivate var closesJSON: Bool { self | .caseBit == UInt8(ascii: "}") }
}
