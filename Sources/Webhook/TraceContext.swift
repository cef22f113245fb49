import Bytes

/// The span of a request within a distributed trace (W3C Trace Context, Recommendation of 23 November 2021; the
/// rules below name its sections).
///
/// A sender's trace is carried on: the request's span is a child of the sender's. Without a valid `traceparent` a new
/// trace begins. Its buffers are reused for the next request.
package struct TraceContext {
    /// Bytes of a `tracestate`, at most; a longer one is dropped ("tracestate Limits" asks for at least as many).
    package static let stateLimit = 512

    /// 32 hexadecimal digits in lower case; empty before `begin`.
    package private(set) var traceID: [UInt8] = []
    /// 16 hexadecimal digits in lower case: the id of this request's span; empty before `begin`.
    package private(set) var spanID: [UInt8] = []
    /// The sender's span, 16 hexadecimal digits; empty where the trace begins here.
    package private(set) var parentID: [UInt8] = []
    /// What other tracing systems have added to the trace; empty if there is nothing valid.
    package private(set) var state: [UInt8] = []
    /// Whether whoever began the trace may have recorded it.
    private var isSampled = true

    package mutating func reset() {
        traceID.clear()
        spanID.clear()
        if !parentID.isEmpty { parentID.clear() }
        if !state.isEmpty { state.clear() }
        isSampled = true
    }

    /// Takes a `traceparent`. An invalid one is ignored; of several the last one counts.
    mutating func take(parent value: Span<UInt8>) {
        traceID.clear()
        parentID.clear()
        isSampled = true
        guard let parent = TraceParent(value) else { return }
        traceID.append(value.extracting(parent.traceID))
        parentID.append(value.extracting(parent.parentID))
        isSampled = parent.isSampled
    }

    /// Takes a `tracestate`, likewise.
    mutating func take(state value: Span<UInt8>) {
        state.clear()
        if TraceState.isValid(value) { state.append(value) }
    }

    /// Begins the request's span, in the sender's trace or in a new one. Call this after the last header.
    ///
    /// A new trace has the request's id if that can be a trace's: nginx' `$request_id` is 32 random hexadecimal digits.
    mutating func begin(requestID: [UInt8], random: inout RandomSource) {
        if parentID.isEmpty {
            // A state belongs to the parent that it came with ("Processing Model").
            if !state.isEmpty { state.clear() }
            if requestID.count == 32 && requestID.span.isID {
                traceID.append(requestID.span)
            } else {
                traceID.append(hexOf: 16, from: &random)
            }
        }
        spanID.append(hexOf: 8, from: &random)
    }

    /// Appends the `traceparent` under which a worker's span is a child of this request's: 55 characters.
    func appendParent(to text: inout [UInt8]) {
        text.append("00-")
        text.append(traceID.span)
        text.append("-")
        text.append(spanID.span)
        text.append(isSampled ? "-01" : "-00")
    }
}

/// The places of the ids in a `traceparent` ("Traceparent Header").
private struct TraceParent {
    /// Characters of version 00; a later version may append more after another `-` ("Versioning of traceparent").
    private static let length = 55

    let traceID = 3..<35
    let parentID = 36..<52
    let isSampled: Bool

    init?(_ value: Span<UInt8>) {
        let isVersion0 = value.hasPrefix("00")
        guard value.count >= TraceParent.length,
            value.count == TraceParent.length || (!isVersion0 && value[TraceParent.length] == UInt8(ascii: "-")),
            value[2] == UInt8(ascii: "-"), value[35] == UInt8(ascii: "-"), value[52] == UInt8(ascii: "-"),
            value.extracting(0..<2).isLowercaseHex, !value.hasPrefix("ff"),
            value.extracting(traceID).isID, value.extracting(parentID).isID,
            value.extracting(53..<55).isLowercaseHex, let lowDigit = value[54].hexValue
        else { return nil }
        isSampled = lowDigit & 1 == 1
    }
}

/// The rules of `tracestate` ("Tracestate Header").
private enum TraceState {
    private static let memberLimit = 32

    /// Whether text is a list of at most 32 members with at least one among them.
    static func isValid(_ text: Span<UInt8>) -> Bool {
        guard text.count <= TraceContext.stateLimit else { return false }
        var members = 0
        var start = 0
        for index in 0...text.count where index == text.count || text[index] == UInt8(ascii: ",") {
            let entry = text.extracting(start..<index)
            let member = entry.extracting(entry.trimmedRange)
            start = index + 1
            if member.isEmpty { continue }
            guard isMember(member) else { return false }
            members += 1
        }
        return (1...memberLimit).contains(members)
    }

    private static func isMember(_ member: Span<UInt8>) -> Bool {
        guard let equals = member.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let value = member.extracting(droppingFirst: equals + 1)
        guard (1...256).contains(value.count), isKey(member.extracting(first: equals)) else { return false }
        for index in value.indices where value[index] != .space && !value[index].isVisibleASCII || value[index] == 0x3D
        {
            return false
        }
        return true
    }

    /// `simple-key`, or `tenant-id@system-id`.
    private static func isKey(_ key: Span<UInt8>) -> Bool {
        guard let at = key.firstIndex(of: UInt8(ascii: "@")) else {
            return isName(key, limit: 256, mayBeginWithDigit: false)
        }
        return isName(key.extracting(first: at), limit: 241, mayBeginWithDigit: true)
            && isName(key.extracting(droppingFirst: at + 1), limit: 14, mayBeginWithDigit: false)
    }

    private static func isName(_ name: Span<UInt8>, limit: Int, mayBeginWithDigit: Bool) -> Bool {
        guard (1...limit).contains(name.count),
            name[0].isLowercaseLetter || (mayBeginWithDigit && name[0].isDigit)
        else { return false }
        for index in name.indices {
            switch name[index] {
            case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"): continue
            case let byte: guard byte.isLowercaseLetter || byte.isDigit else { return false }
            }
        }
        return true
    }
}

extension [UInt8] {
    /// Appends random bytes, 16 at most, as hexadecimal digits.
    fileprivate mutating func append(hexOf count: Int, from random: inout RandomSource) {
        var digits = InlineArray<32, UInt8>(repeating: 0)
        for index in 0..<count {
            let byte = random.next()
            digits[2 * index] = hexDigit(byte >> 4)
            digits[2 * index + 1] = hexDigit(byte & 15)
        }
        append(digits.span.extracting(first: 2 * count))
    }
}

extension Span<UInt8> {
    fileprivate func firstIndex(of byte: UInt8) -> Int? {
        for index in indices where self[index] == byte { return index }
        return nil
    }

    /// Whether these are hexadecimal digits in lower case, and not all of them zeros.
    fileprivate var isID: Bool {
        var difference: UInt8 = 0
        for index in indices { difference |= self[index] ^ UInt8(ascii: "0") }
        return difference != 0 && isLowercaseHex
    }

    /// Without an early exit, so that many bytes are looked at together.
    fileprivate var isLowercaseHex: Bool {
        var strays = 0
        for index in indices {
            let byte = self[index]
            strays += byte.isDigit || byte &- UInt8(ascii: "a") < 6 ? 0 : 1
        }
        return strays == 0
    }
}
