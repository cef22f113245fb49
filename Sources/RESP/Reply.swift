import Bytes

/// A Redis reply in RESP2.
package enum Reply: Equatable {
    /// `+OK`
    case simple([UInt8])
    /// `-WRONGTYPE Operation against a key …`, without the dash.
    case error([UInt8])
    case integer(Int64)
    /// A bulk string; nil for the null bulk string.
    case bulk([UInt8]?)
    case array([Reply]?)
}

/// Bytes that are not RESP2, or that exceed a limit. Nothing after them can be parsed: close the connection.
package enum ReplyFault: String, Error {
    case type, lineEnd, lineTooLong, integer, length, tooDeep, tooManyElements, tooLong
}

/// Reads replies from the bytes of a connection, however they are cut.
///
///     var parser = ReplyParser()
///     try parser.next(in: Array(":42\r\n:4".utf8).span)  // .integer(42), parser.consumed is 5
///     try parser.next(in: Array(":42\r\n:4".utf8).span)  // nil: the second is not whole
///
/// A length on the wire allocates nothing: a string is copied once it has arrived.
package struct ReplyParser {
    /// Bytes of a line, without its CRLF.
    package static let lineLimit = 16_384
    /// Levels of nesting, at most.
    package static let depthLimit = 8
    /// Elements of one array.
    package static let elementLimit = 1_024

    /// Bytes of one reply, including everything in it.
    package let replyLimit: Int
    /// Bytes of a bulk string.
    package let bulkLimit: Int
    /// Bytes that belong to the replies returned so far.
    package private(set) var consumed = 0
    /// Where the next value begins. The values before it have been read; those of an incomplete reply are in `open`.
    private var position = 0
    /// Parsing cannot progress until this many bytes are there.
    private var needed = 1
    /// The arrays that are half read, the outermost first.
    private var open: [(count: Int, elements: [Reply])] = []

    package init(replyLimit: Int = 16_777_216, bulkLimit: Int = 1_048_576) {
        self.replyLimit = replyLimit
        self.bulkLimit = bulkLimit
    }

    /// Call this after removing the first `consumed` bytes.
    package mutating func discardConsumed() {
        needed = max(1, needed - consumed)
        position -= consumed
        consumed = 0
    }

    /// The next reply, or nil if more bytes are needed. `bytes` must hold everything since `discardConsumed()`.
    package mutating func next(in bytes: Span<UInt8>) throws(ReplyFault) -> Reply? {
        guard bytes.count >= needed, bytes.count > consumed else { return nil }
        while var value = try value(in: bytes) {
            guard position - consumed <= replyLimit else { throw .tooLong }
            // An array has been opened: its first element comes next.
            if case .opened = value { continue }
            while case .reply(let reply) = value, let last = open.indices.last {
                // In place: a copy of the array would cost as much as all of its elements.
                open[last].elements.append(reply)
                guard open[last].elements.count == open[last].count else { break }
                value = .reply(.array(open.removeLast().elements))
            }
            if open.isEmpty, case .reply(let reply) = value {
                consumed = position
                needed = position + 1
                return reply
            }
        }
        guard needed - consumed <= replyLimit && bytes.count - consumed <= replyLimit else { throw .tooLong }
        return nil
    }

    private enum Value {
        case reply(Reply)
        /// The head of an array that has elements.
        case opened
    }

    /// Reads the value at the position, and moves past it; nil if it is incomplete.
    private mutating func value(in bytes: Span<UInt8>) throws(ReplyFault) -> Value? {
        guard open.count < ReplyParser.depthLimit else { throw .tooDeep }
        guard position < bytes.count else { return more(position + 1) }
        let type = bytes[position]
        guard type.beginsReply else { throw .type }
        guard let line = try line(in: bytes, from: position + 1) else { return nil }
        let end = line.upperBound + 2
        let reply: Reply
        switch type {
        case UInt8(ascii: "+"): reply = .simple(copy(bytes, line))
        case UInt8(ascii: "-"): reply = .error(copy(bytes, line))
        case UInt8(ascii: ":"): reply = .integer(try integer(in: bytes, line))
        case UInt8(ascii: "$"): return try bulk(in: bytes, length: try integer(in: bytes, line), from: end)
        default: return try openArray(count: try integer(in: bytes, line), from: end)
        }
        position = end
        return .reply(reply)
    }

    private mutating func more(_ needed: Int) -> Value? {
        self.needed = needed
        return nil
    }

    private mutating func line(in bytes: Span<UInt8>, from start: Int) throws(ReplyFault) -> Range<Int>? {
        var end = start
        while end < bytes.count && bytes[end] != .carriageReturn {
            if bytes[end] == .lineFeed { throw .lineEnd }
            end += 1
            if end - start > ReplyParser.lineLimit { throw .lineTooLong }
        }
        guard end + 1 < bytes.count else {
            needed = bytes.count + 1
            return nil
        }
        guard bytes[end + 1] == .lineFeed else { throw .lineEnd }
        return start..<end
    }

    private mutating func bulk(
        in bytes: Span<UInt8>, length: Int64, from start: Int
    ) throws(ReplyFault) -> Value? {
        guard length >= -1 && length <= bulkLimit else { throw .length }
        guard length >= 0 else {
            position = start
            return .reply(.bulk(nil))
        }
        let end = start + Int(length)
        guard end + 2 <= bytes.count else { return more(end + 2) }
        guard bytes[end] == .carriageReturn && bytes[end + 1] == .lineFeed else { throw .lineEnd }
        position = end + 2
        return .reply(.bulk(copy(bytes, start..<end)))
    }

    private mutating func openArray(count: Int64, from start: Int) throws(ReplyFault) -> Value {
        guard count >= -1 else { throw .length }
        guard count <= ReplyParser.elementLimit else { throw .tooManyElements }
        position = start
        guard count > 0 else { return .reply(.array(count == 0 ? [] : nil)) }
        open.append((Int(count), []))
        return .opened
    }

    private func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.append(bytes.extracting(range))
        return copy
    }

    /// A decimal number as Redis writes it: no `+`, no leading zeros, no `-0`, within 64 bits.
    private func integer(in bytes: Span<UInt8>, _ range: Range<Int>) throws(ReplyFault) -> Int64 {
        guard let first = range.first else { throw .integer }
        let isNegative = bytes[first] == UInt8(ascii: "-")
        let digits = (isNegative ? first + 1 : first)..<range.upperBound
        guard let leading = digits.first else { throw .integer }
        if bytes[leading] == UInt8(ascii: "0") && (digits.count > 1 || isNegative) { throw .integer }
        var number: Int64 = 0
        for index in digits {
            guard bytes[index].isDigit else { throw .integer }
            let digit = Int64(bytes[index] - UInt8(ascii: "0"))
            let (product, tooLarge) = number.multipliedReportingOverflow(by: 10)
            // Counted downwards: the least Int64 has no positive counterpart.
            let (sum, overflow) = product.subtractingReportingOverflow(digit)
            guard !tooLarge && !overflow else { throw .integer }
            number = sum
        }
        if isNegative { return number }
        guard number != .min else { throw .integer }
        return -number
    }
}

extension UInt8 {
    /// Whether it is the first byte of a value.
    fileprivate var beginsReply: Bool {
        switch self {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "$"), UInt8(ascii: "*"): true
        default: false
        }
    }
}
