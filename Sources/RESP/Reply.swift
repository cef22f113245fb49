import Bytes

/// A reply of Redis, in RESP2.
package enum Reply: Equatable {
    /// `+OK`
    case simple([UInt8])
    /// `-WRONGTYPE Operation against a key …`, without the dash.
    case error([UInt8])
    case integer(Int64)
    /// A bulk string; nil where Redis answers that there is none.
    case bulk([UInt8]?)
    case array([Reply]?)
}

/// Bytes that are no RESP2, or more than a limit allows. Nothing after them can be understood: close the connection.
package enum ReplyFault: String, Error {
    case type, lineEnd, lineTooLong, integer, length, tooDeep, tooManyElements, tooLong
}

/// Reads replies from the bytes of a connection, however they were cut.
///
///     var parser = ReplyParser()
///     try parser.next(in: Array(":42\r\n:4".utf8).span)  // .integer(42), parser.consumed is 5
///     try parser.next(in: Array(":42\r\n:4".utf8).span)  // nil: the second is not whole
///
/// Nothing is allocated from a length on the wire: a string is copied when it is there.
package struct ReplyParser {
    /// Bytes of a line, without its end.
    package static let lineLimit = 16_384
    /// Bytes of a bulk string.
    package static let bulkLimit = 1_048_576
    /// Arrays within arrays.
    package static let depthLimit = 8
    /// Elements of one array.
    package static let elementLimit = 1_024

    /// Bytes of one reply with all that is in it.
    package let replyLimit: Int
    /// How many of the bytes the replies so far took up.
    package private(set) var consumed = 0
    /// Below so many bytes there is nothing new to be found out.
    private var needed = 1

    package init(replyLimit: Int = 16_777_216) { self.replyLimit = replyLimit }

    /// Says that the first `consumed` bytes have been removed.
    package mutating func discardConsumed() {
        needed = max(1, needed - consumed)
        consumed = 0
    }

    /// The next reply, or nil where more bytes are needed. `bytes` holds all since `discardConsumed()`.
    package mutating func next(in bytes: Span<UInt8>) throws(ReplyFault) -> Reply? {
        guard bytes.count >= needed, bytes.count > consumed else { return nil }
        var position = consumed
        guard let reply = try value(in: bytes, at: &position, depth: 0) else {
            if needed - consumed > replyLimit || bytes.count - consumed > replyLimit { throw .tooLong }
            return nil
        }
        if position - consumed > replyLimit { throw .tooLong }
        consumed = position
        needed = position + 1
        return reply
    }

    private mutating func value(
        in bytes: Span<UInt8>, at position: inout Int, depth: Int
    ) throws(ReplyFault) -> Reply? {
        guard depth < ReplyParser.depthLimit else { throw .tooDeep }
        guard position < bytes.count else { return more(position + 1) }
        let type = bytes[position]
        guard [0x2B, 0x2D, 0x3A, 0x24, 0x2A].contains(type) else { throw .type }
        guard let line = try line(in: bytes, from: position + 1) else { return nil }
        position = line.upperBound + 2
        switch type {
        case 0x2B: return .simple(copy(bytes, line))
        case 0x2D: return .error(copy(bytes, line))
        case 0x3A: return .integer(try integer(in: bytes, line))
        case 0x24: return try bulk(in: bytes, length: try integer(in: bytes, line), at: &position)
        default: return try array(in: bytes, count: try integer(in: bytes, line), at: &position, depth: depth)
        }
    }

    private mutating func more(_ needed: Int) -> Reply? {
        self.needed = needed
        return nil
    }

    private mutating func line(in bytes: Span<UInt8>, from start: Int) throws(ReplyFault) -> Range<Int>? {
        var end = start
        while end < bytes.count && bytes[end] != 0x0D {
            if bytes[end] == 0x0A { throw .lineEnd }
            end += 1
            if end - start > ReplyParser.lineLimit { throw .lineTooLong }
        }
        guard end + 1 < bytes.count else {
            needed = bytes.count + 1
            return nil
        }
        guard bytes[end + 1] == 0x0A else { throw .lineEnd }
        return start..<end
    }

    private mutating func bulk(
        in bytes: Span<UInt8>, length: Int64, at position: inout Int
    ) throws(ReplyFault) -> Reply? {
        if length == -1 { return .bulk(nil) }
        guard length >= 0 && length <= ReplyParser.bulkLimit else { throw .length }
        let end = position + Int(length)
        guard end + 2 <= bytes.count else { return more(end + 2) }
        guard bytes[end] == 0x0D && bytes[end + 1] == 0x0A else { throw .lineEnd }
        let content = copy(bytes, position..<end)
        position = end + 2
        return .bulk(content)
    }

    private mutating func array(
        in bytes: Span<UInt8>, count: Int64, at position: inout Int, depth: Int
    ) throws(ReplyFault) -> Reply? {
        if count == -1 { return .array(nil) }
        guard count >= 0 else { throw .length }
        guard count <= ReplyParser.elementLimit else { throw .tooManyElements }
        var elements: [Reply] = []
        for _ in 0..<count {
            guard let element = try value(in: bytes, at: &position, depth: depth + 1) else { return nil }
            elements.append(element)
        }
        return .array(elements)
    }

    private func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.append(bytes.extracting(range))
        return copy
    }

    /// A decimal number as Redis writes it: no `+`, no zeros before it, no `-0`, within 64 bits.
    private func integer(in bytes: Span<UInt8>, _ range: Range<Int>) throws(ReplyFault) -> Int64 {
        guard let first = range.first else { throw .integer }
        let isNegative = bytes[first] == 0x2D
        let digits = (isNegative ? first + 1 : first)..<range.upperBound
        guard let leading = digits.first else { throw .integer }
        if bytes[leading] == 0x30 && (digits.count > 1 || isNegative) { throw .integer }
        var number: Int64 = 0
        for index in digits {
            guard bytes[index].isDigit else { throw .integer }
            let digit = Int64(bytes[index] - 0x30)
            let (product, tooLarge) = number.multipliedReportingOverflow(by: 10)
            // Counted below zero, where there is room for one more: the least Int64 has no positive twin.
            let (sum, overflow) = product.subtractingReportingOverflow(digit)
            guard !tooLarge && !overflow else { throw .integer }
            number = sum
        }
        if isNegative { return number }
        guard number != .min else { throw .integer }
        return -number
    }
}
