import System
import Testing

struct InstantTests {
    @Test func `the monotonic clock does not go back`() {
        let first = Instant.now
        let second = Instant.now
        #expect(first <= second && second < .never)
        #expect(second.since(first) < 60_000_000_000)
    }

    @Test func `the time since a later instant is zero`() {
        let instant = Instant(nanoseconds: 1000)
        #expect((instant + Nanoseconds(500)).since(instant) == 500)
        #expect(instant.since(instant + Nanoseconds(500)) == 0)
        #expect(instant.since(instant) == 0)
    }

    @Test func `a sum that overflows is never`() {
        #expect(Instant(nanoseconds: .max - 5) + Nanoseconds(4) == Instant(nanoseconds: .max - 1))
        #expect(Instant(nanoseconds: .max - 5) + Nanoseconds(6) == .never)
        #expect(.never + .seconds(1) == .never)
    }

    @Test func `seconds and milliseconds are converted to nanoseconds`() {
        #expect(Nanoseconds.milliseconds(3).count == 3_000_000)
        #expect(Nanoseconds.seconds(1.5).count == 1_500_000_000)
        #expect(Nanoseconds.seconds(2).seconds == 2)
        #expect(Nanoseconds.milliseconds(999) < .seconds(1))
    }

    @Test func `the time of day is in microseconds, and in this century`() {
        #expect((1_600_000_000_000_000...4_102_444_800_000_000).contains(WallClock.now.microseconds))
    }
}
