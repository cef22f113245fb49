import Bytes
import Webhook

/// Something in a header that may be a signature, however it is written.
struct PresentedTag {
    enum Writing: Equatable {
        case hex, base64
        /// Of RFC 4648, section 5: with - and _.
        case base64url
        case base64WithoutPadding
        /// Hexadecimal digits in base64.
        case base64OfHex
        /// Hexadecimal digits, each of them as two again.
        case hexOfHex

        var text: String {
            switch self {
            case .hex: "in hexadecimal digits"
            case .base64: "in base64"
            case .base64url: "in base64url"
            case .base64WithoutPadding: "in base64 without its padding"
            case .base64OfHex: "as hexadecimal digits in base64"
            case .hexOfHex: "as hexadecimal digits of hexadecimal digits"
            }
        }
    }

    let header: String
    /// Whether a header of the same name stands before it.
    let isRepeat: Bool
    /// What stands before it and after it in the header.
    let prefix: [UInt8]
    let suffix: [UInt8]
    let writing: Writing
    let bytes: [UInt8]

    /// All that a request has.
    static func all(in request: SavedRequest) -> [PresentedTag] {
        request.fields.enumerated().flatMap { index, field in
            words(of: field.value).flatMap { range in
                decoded(Array(field.value[range])).map { writing, bytes in
                    PresentedTag(
                        header: field.name, isRepeat: request.repeats.contains(index),
                        prefix: Array(field.value[..<range.lowerBound]),
                        suffix: Array(field.value[range.upperBound...]), writing: writing, bytes: bytes)
                }
            }
        }
    }

    /// Bytes of a text that is looked at.
    private static let lengths = 21...512
    /// Headers with more possible places are not signatures.
    private static let placeLimit = 64

    /// Where a signature may stand: after the beginning or a separator, up to the end or another one.
    private static func words(of value: [UInt8]) -> [Range<Int>] {
        guard value.count <= 4096 else { return [] }
        let starts = [0] + value.indices.filter { "=,: ;\"'".utf8.contains(value[$0]) }.map { $0 + 1 }
        return starts.prefix(placeLimit).compactMap { start in
            let end = value[start...].firstIndex { !isDigit($0) } ?? value.count
            return lengths.contains(end - start) ? start..<end : nil
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte.isDigit || byte.isUppercaseLetter || byte.isLowercaseLetter || "+/-_=".utf8.contains(byte)
    }

    private static func decoded(_ text: [UInt8]) -> [(Writing, [UInt8])] {
        var found: [(Writing, [UInt8])] = []
        if let bytes = hexDecoded(text) {
            found.append((.hex, bytes))
            if let inner = hexDecoded(bytes) { found.append((.hexOfHex, inner)) }
        }
        if let bytes = leniently(base64: text) {
            let writing: Writing =
                text.contains(where: { "-_".utf8.contains($0) })
                ? .base64url : text.count % 4 == 0 ? .base64 : .base64WithoutPadding
            found.append((writing, bytes))
            if let inner = hexDecoded(bytes) { found.append((.base64OfHex, inner)) }
        }
        return found.filter { Hash.lengths.contains($0.1.count) }
    }

    /// base64 or base64url, with padding or without.
    static func leniently(base64 text: [UInt8]) -> [UInt8]? {
        var standard = text.map {
            $0 == UInt8(ascii: "-") ? UInt8(ascii: "+") : $0 == UInt8(ascii: "_") ? UInt8(ascii: "/") : $0
        }
        while standard.last == UInt8(ascii: "=") { standard.removeLast() }
        while standard.count % 4 != 0 { standard.append(UInt8(ascii: "=")) }
        return base64Decoded(standard)
    }
}

/// The bytes that hexadecimal digits stand for; nil if they are not such.
func hexDecoded(_ text: [UInt8]) -> [UInt8]? {
    guard text.count % 2 == 0, !text.isEmpty else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: text.count, by: 2) {
        guard let high = text[index].hexValue, let low = text[index + 1].hexValue else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}
