import Bytes

extension Span<UInt8> {
    /// The string that the outermost object has under a name; nil if it has none.
    ///
    /// One quick pass over bytes that are not trusted yet. It checks no more than it needs to find the member. In JSON
    /// that the strict reader accepts, it finds the same string.
    ///
    /// - Parameter limit: Unicode scalar values of the string, at most; a longer one is not found, and not read.
    package func findString(named name: StaticString, limit: Int) -> JSONString? {
        var index = firstIndexAfterSpace(from: 0)
        guard index < count, self[index] == UInt8(ascii: "{") else { return nil }
        index += 1
        let length = name.utf8CodeUnitCount
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
                // An escape of one of its characters takes six bytes.
                let isCandidate = isAtKey && end - start >= length && end - start <= 6 * length
                if isCandidate && matches(start..<end, name, hasEscapes: hasEscapes) {
                    return stringValue(from: index, limit: limit)
                }
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
    private func stringValue(from start: Int, limit: Int) -> JSONString? {
        var index = firstIndexAfterSpace(from: start)
        guard index < count, self[index] == UInt8(ascii: ":") else { return nil }
        index = firstIndexAfterSpace(from: index + 1)
        guard index < count, self[index] == .quote else { return nil }
        index += 1
        // A scalar value takes at most 12 bytes: two escapes of a surrogate each.
        let end = Swift.min(count, index + 12 * limit + 1)
        guard let string = try? JSONString.scan(extracting(0..<end), from: &index) else { return nil }
        return string.scalars <= limit ? string : nil
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
        // Near ones first: among many of them, eight bytes at a time would cost more than one.
        let near = Swift.min(count, start + 5)
        while index < near {
            if self[index] == .quote || self[index] == .backslash { return index }
            index += 1
        }
        while index + 8 <= count {
            let word = self.word(at: index)
            let found = word.marks(of: .quote) | word.marks(of: .backslash)
            if found != 0 { return index + found.trailingZeroBitCount >> 3 }
            index += 8
        }
        while index < count, self[index] != .quote, self[index] != .backslash { index += 1 }
        return index
    }

    /// Whether a string, its escapes replaced, is `text`: ASCII that has no short escapes, such as `\n` or `\/`.
    private func matches(_ range: Range<Int>, _ text: StaticString, hasEscapes: Bool) -> Bool {
        let length = text.utf8CodeUnitCount
        guard hasEscapes else { return range.count == length && extracting(range).equals(text) }
        var index = range.lowerBound
        for position in 0..<length {
            guard index < range.upperBound else { return false }
            let expected = unsafe text.utf8Start[position]
            if self[index] == expected {
                index += 1
            } else {
                guard isEscape(of: expected, at: index) else { return false }
                index += 6
            }
        }
        return index == range.upperBound
    }

    /// Whether `\u` and four digits that stand for an ASCII character are at `index`.
    private func isEscape(of character: UInt8, at index: Int) -> Bool {
        guard index + 6 <= count, self[index] == .backslash, self[index + 1] == UInt8(ascii: "u"),
            self[index + 2] == UInt8(ascii: "0"), self[index + 3] == UInt8(ascii: "0")
        else { return false }
        let (high, low) = (self[index + 4].hexValueOrMore, self[index + 5].hexValueOrMore)
        return high < 8 && low < 16 && high << 4 | low == character
    }
}

extension UInt8 {
    /// Whether it begins an object or an array: `{` and `[` differ in the case bit.
    fileprivate var opensJSON: Bool { self | .caseBit == UInt8(ascii: "{") }
    /// Whether it ends one.
    fileprivate var closesJSON: Bool { self | .caseBit == UInt8(ascii: "}") }
}
