import Bytes

/// How many requests a tenant may make: so many a second, after a burst at once.
///
/// By the generic cell rate algorithm: all that is remembered of a tenant is its theoretical arrival time, the moment at
/// which its burst will be whole again. Each request moves that on by the interval, and is refused if it would then lie
/// further ahead than the burst lasts.
package struct RateLimit: Equatable, Sendable {
    /// A rate in thousandths of a request a second.
    package static let rates = 1...100_000_000
    package static let bursts = 1...1_000_000
    private static let second: UInt64 = 1_000_000_000

    private let thousandths: UInt32
    package var burst: Int { Int(requests) }
    private let requests: UInt32

    /// Nil outside `rates` or `bursts`.
    package init?(thousandths: Int, burst: Int) {
        guard RateLimit.rates.contains(thousandths), RateLimit.bursts.contains(burst) else { return nil }
        self.thousandths = UInt32(thousandths)
        requests = UInt32(burst)
    }

    /// Nanoseconds between two requests at the rate, rounded down: who keeps to the rate is never refused.
    package var interval: UInt64 { 1000 * RateLimit.second / UInt64(thousandths) }

    /// Nanoseconds that the burst lasts, at most 10¹⁸.
    private var span: UInt64 { interval * UInt64(requests) }

    package enum Decision: Equatable {
        /// From now on this is the theoretical arrival time.
        case passes(UInt64)
        /// Nothing changes; after so many nanoseconds a request would pass.
        case waits(UInt64)
    }

    /// Decides on one request.
    ///
    /// - Parameters:
    ///   - arrival: the theoretical arrival time, 0 if there is none. One further ahead than the burst cannot be right: it
    ///     is from before the machine's start, or the limit was made smaller. It counts for nothing.
    ///   - now: nanoseconds of a clock that is never set. It must have been read after `arrival`, or a request that another
    ///     process has just let pass might seem to lie too far ahead.
    package func decide(arrival: UInt64, now: UInt64) -> Decision {
        let ahead = arrival > now && arrival - now <= span ? arrival - now : 0
        guard ahead + interval > span else { return .passes(now &+ ahead &+ interval) }
        return .waits(ahead + interval - span)
    }

    /// The whole seconds of a wait, rounded up.
    package static func seconds(ofWait nanoseconds: UInt64) -> Int {
        Int(nanoseconds / second) + (nanoseconds % second > 0 ? 1 : 0)
    }
}

extension RateLimit {
    /// A rate with at most three decimals: `2.5` → 2500. Nil for any other text.
    package static func thousandths(_ text: Span<UInt8>) -> Int? {
        var point = 0
        while point < text.count && text[point] != UInt8(ascii: ".") { point += 1 }
        guard let whole = text.extracting(0..<point).decimal, whole <= rates.upperBound else { return nil }
        guard point < text.count else { return whole * 1000 }
        let decimals = text.extracting(point + 1..<text.count)
        guard decimals.count <= 3, let part = decimals.decimal else { return nil }
        return whole * 1000 + part * [100, 10, 1][decimals.count - 1]
    }

    /// The rate as a number: `2.5`.
    package var perSecond: String {
        var decimals = String(String(1000 + thousandths % 1000).dropFirst())
        while decimals.last == "0" { decimals.removeLast() }
        return "\(thousandths / 1000)" + (decimals.isEmpty ? "" : ".") + decimals
    }
}

/// What tenants have left of their limits.
package protocol Allowances: AnyObject {
    /// Takes one request from a tenant's allowance. Returns nil, or after how many nanoseconds one would pass.
    ///
    /// - Parameter tenant: its index in the table.
    func take(of tenant: Int, within limit: RateLimit) -> UInt64?
}
