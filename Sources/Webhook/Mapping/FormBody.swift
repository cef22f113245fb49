import Bytes

/// Why a form holds no payload.
package enum FormFault: Error, Equatable {
    /// A `%` without two hexadecimal digits after it.
    case encoding(offset: Int)
    case noPayload
    case severalPayloads
    /// Parameters beside the payload.
    case strangers

    var message: String {
        switch self {
        case .encoding(let offset): "invalid percent-encoding at byte offset \(offset)"
        case .noPayload: "must have one of the parameters \(FormBody.nameList)"
        case .severalPayloads: "must have exactly one of the parameters \(FormBody.nameList), once"
        case .strangers: "must have no parameter other than one of \(FormBody.nameList)"
        }
    }
}

/// A body of the type `application/x-www-form-urlencoded` (URL Standard, section 5.1), whose parameter `payload`,
/// `input_data` or `data` is JSON.
enum FormBody {
    private static let names: [StaticString] = ["payload", "input_data", "data"]
    fileprivate static var nameList: String { names.map { "\($0)" }.joined(separator: ", ") }

    /// The JSON.
    ///
    /// - Parameter allowsOthers: whether other parameters are ignored.
    static func payload(of body: Span<UInt8>, allowsOthers: Bool) throws(FormFault) -> [UInt8] {
        var payload: [UInt8]?
        var hasOthers = false
        var start = 0
        while start <= body.count {
            let end = body.firstIndex(of: UInt8(ascii: "&"), in: start..<body.count)
            defer { start = end + 1 }
            guard end > start else { continue }
            let separator = body.firstIndex(of: UInt8(ascii: "="), in: start..<end)
            let name = try decode(body, start..<separator)
            guard names.contains(where: { name.span.equals($0) }) else {
                hasOthers = true
                continue
            }
            guard payload == nil else { throw .severalPayloads }
            payload = try decode(body, min(separator + 1, end)..<end)
        }
        guard let payload else { throw .noPayload }
        guard allowsOthers || !hasOthers else { throw .strangers }
        return payload
    }

    private static func decode(_ body: Span<UInt8>, _ range: Range<Int>) throws(FormFault) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            switch body[index] {
            case UInt8(ascii: "+"): text.append(.space)
            case UInt8(ascii: "%"):
                guard index + 2 < range.upperBound, let high = body[index + 1].hexValue,
                    let low = body[index + 2].hexValue
                else { throw .encoding(offset: index) }
                text.append(high << 4 | low)
                index += 2
            case let byte: text.append(byte)
            }
            index += 1
        }
        return text
    }
}

extension Span<UInt8> {
    /// The index of the first such byte in a range, or the range's end.
    fileprivate func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int {
        var index = range.lowerBound
        while index < range.upperBound && self[index] != byte { index += 1 }
        return index
    }
}
