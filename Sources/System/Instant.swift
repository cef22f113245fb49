import Glibc

/// A moment on the monotonic clock, in nanoseconds. Setting the machine's time does not move it.
package struct Instant: Comparable, Hashable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static var now: Instant { Instant(nanoseconds: clock(CLOCK_MONOTONIC)) }

    /// Later than every moment.
    package static let never = Instant(nanoseconds: .max)

    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Nanoseconds from `other` to this moment; 0 if `other` is later.
    package func since(_ other: Instant) -> UInt64 {
        nanoseconds > other.nanoseconds ? nanoseconds - other.nanoseconds : 0
    }

    package static func + (a: Instant, delay: Nanoseconds) -> Instant {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(delay.count)
        return overflow ? .never : Instant(nanoseconds: sum)
    }
}

/// A length of time, in nanoseconds.
package struct Nanoseconds: Comparable, Hashable {
    package let count: UInt64

    package init(_ count: UInt64) { self.count = count }
    package static func seconds(_ seconds: Double) -> Nanoseconds { Nanoseconds(UInt64(seconds * 1e9)) }
    package static func milliseconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(count * 1_000_000) }

    package static func < (a: Nanoseconds, b: Nanoseconds) -> Bool { a.count < b.count }
    package var seconds: Double { Double(count) / 1e9 }
}

/// The time of day: microseconds since 1970-01-01T00:00:00Z.
package struct WallClock: Equatable {
    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static var now: WallClock { WallClock(microseconds: Int64(clock(CLOCK_REALTIME) / 1000)) }
}

private func clock(_ id: clockid_t) -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(id, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
