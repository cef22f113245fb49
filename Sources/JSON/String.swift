import Bytes

/// A string in JSON text: its place, and the properties that the scan found.
package struct JSONString: Equatable {
    /// Its bytes between the quotation marks, escapes and all: valid unchanged in any other JSON text.
    package let range: Range<Int>
    /// The number of Unicode scalar values that it stands for.
    package let scalars: Int
    package let hasEscapes: Bool
    /// Whether U+0000 is among them.
    package let hasNull: Bool

    /// Scans from just after the opening quotation mark to just after the closing one.
    static func scan(_ bytes: Span<UInt8>, from position: inout Int) throws(JSONFault) -> JSONString {
        let start = position
        var index = start
        // Bytes that do not begin a scalar value: scalars are the bytes less these.
        var surplus = 0
        var hasEscapes = false
        var hasNull = false
        while true {
            index = bytes.plainEnd(from: index)
            guard index < bytes.count else { throw JSONFault(.unexpectedEnd, at: index) }
            let byte = bytes[index]
            if byte == .quote { break }
            if byte == .backslash {
                let escape = try Escape(bytes, at: index)
                hasEscapes = true
                hasNull = hasNull || escape.scalar.value == 0
                surplus += escape.length - 1
                index += escape.length
            } else if byte < .space {
                throw JSONFault(.controlCharacter, at: index)
            } else {
                let length = try sequenceLength(of: bytes, at: index)
                surplus += length - 1
                index += length
            }
        }
        position = index + 1
        return JSONString(
            range: start..<index, scalars: index - start - surplus, hasEscapes: hasEscapes, hasNull: hasNull)
    }

    /// The length of the well-formed UTF-8 sequence at `index` (RFC 3629, section 4), 2 to 4 bytes.
    private static func sequenceLength(of bytes: Span<UInt8>, at index: Int) throws(JSONFault) -> Int {
        let first = bytes[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: throw JSONFault(.utf8, at: index)
        }
        guard index + length <= bytes.count, second.contains(bytes[index + 1]) else {
            throw JSONFault(.utf8, at: index)
        }
        var next = index + 2
        while next < index + length {
            guard bytes[next] & 0xC0 == 0x80 else { throw JSONFault(.utf8, at: index) }
            next += 1
        }
        return length
    }

    /// The string itself, its escapes replaced, in UTF-8.
    package func text(from bytes: Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        // So that it does not grow, and leaves no copy of a secret behind.
        text.reserveCapacity(range.count)
        unescape(from: bytes, into: &text)
        return text
    }

    /// Appends the string itself, its escapes replaced, in UTF-8.
    package func unescape(from bytes: Span<UInt8>, into text: inout [UInt8]) {
        guard hasEscapes else { return text.append(bytes.extracting(range)) }
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == .backslash, let escape = try? Escape(bytes, at: index) {
                text.append(contentsOf: Unicode.UTF8.encode(escape.scalar)!)
                index += escape.length
            } else {
                text.append(bytes[index])
                index += 1
            }
        }
    }
}

extension Span<UInt8> {
    /// The end of the run of printable ASCII that neither ends a string nor begins an escape.
    func plainEnd(from start: Int) -> Int {
        var index = start
        while index + 8 <= count {
            let word = self.word(at: index)
            let control = (word &- UInt64.ones &* UInt64(UInt8.space)) & ~word
            let special = (control | word) & UInt64.highs | word.marks(of: .quote) | word.marks(of: .backslash)
            if special != 0 { return index + special.trailingZeroBitCount >> 3 }
            index += 8
        }
        while index < count {
            let byte = self[index]
            if byte < .space || byte == .quote || byte == .backslash || byte >= 0x80 { break }
            index += 1
        }
        return index
    }
}

/// Eight bytes at a time.
extension UInt64 {
    static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highs: UInt64 = 0x8080_8080_8080_8080

    /// A word with the high bit set in the lowest byte that equals `byte`, and perhaps in higher bytes that do not.
    @inline(__always) func marks(of byte: UInt8) -> UInt64 {
        let difference = self ^ (UInt64.ones &* UInt64(byte))
        return (difference &- UInt64.ones) & ~difference & UInt64.highs
    }
}

/// An escape sequence: the scalar value that it stands for, and how many bytes it takes.
struct Escape {
    private(set) var scalar: Unicode.Scalar
    private(set) var length: Int

    init(_ bytes: Span<UInt8>, at index: Int) throws(JSONFault) {
        guard index + 1 < bytes.count else { throw JSONFault(.unexpectedEnd, at: bytes.count) }
        length = bytes[index + 1] == UInt8(ascii: "u") ? 6 : 2
        switch bytes[index + 1] {
        case .quote, .backslash, UInt8(ascii: "/"): scalar = Unicode.Scalar(bytes[index + 1])
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{C}"
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "t"): scalar = "\t"
        case UInt8(ascii: "u"):
            let unit = try Escape.unit(bytes, at: index)
            if let scalar = Unicode.Scalar(unit) {
                self.scalar = scalar
                return
            }
            // A high surrogate and the low one that must follow it.
            guard unit < 0xDC00, index + 7 < bytes.count, bytes[index + 6] == .backslash,
                bytes[index + 7] == UInt8(ascii: "u")
            else {
                throw JSONFault(.surrogate, at: index)
            }
            let low = try Escape.unit(bytes, at: index + 6)
            guard (0xDC00...0xDFFF).contains(low) else { throw JSONFault(.surrogate, at: index) }
            scalar = Unicode.Scalar(0x10000 + UInt32(unit - 0xD800) << 10 + UInt32(low - 0xDC00))!
            length = 12
        default: throw JSONFault(.escape, at: index)
        }
    }

    /// The four hexadecimal digits after `\u`.
    private static func unit(_ bytes: Span<UInt8>, at index: Int) throws(JSONFault) -> UInt16 {
        guard index + 6 <= bytes.count else { throw JSONFault(.unexpectedEnd, at: bytes.count) }
        var unit: UInt16 = 0
        for digit in index + 2..<index + 6 {
            guard let value = bytes[digit].hexValue else { throw JSONFault(.escape, at: index) }
            unit = unit << 4 | UInt16(value)
        }
        return unit
    }
}
