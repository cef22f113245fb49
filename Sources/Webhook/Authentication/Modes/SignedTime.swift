import Bytes

/// How a signed time is written.
package enum SignedTime: String, CaseIterable, Sendable {
    /// Seconds since 1970: 1 to 11 digits.
    case unix
    /// A `date-time` of RFC 3339.
    case rfc3339

    /// Seconds since 1970; nil if the text does not have the form.
    package func seconds(of text: Span<UInt8>) -> Int? {
        switch self {
        case .unix:
            for index in text.indices where !text[index].isDigit { return nil }
            return (1...11).contains(text.count) ? text.decimal : nil
        case .rfc3339: return Timestamp.isDateTime(text) ? Timestamp.seconds(of: text) : nil
        }
    }

    package func text(of seconds: Int) -> [UInt8] {
        switch self {
        case .unix: Array("\(seconds)".utf8)
        case .rfc3339: Array(Timestamp.text(seconds).utf8)
        }
    }

    /// Whether a time is further from now than the tolerance, before or after.
    static func isStale(_ seconds: Int, at now: Int, tolerance: Int) -> Bool { abs(seconds - now) > tolerance }
}
