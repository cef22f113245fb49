import System
import Testing

@testable import Delivery

struct QueueDepthTests {
    private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    @Test func `the rate is measured between two lengths`() {
        var depth = QueueDepth()
        #expect(depth.last == 0 && depth.secondsUntil(10) == 30)
        depth.pushed(1000)
        #expect(depth.last == 1000 && depth.secondsUntil(10) == 30)
        depth.measure(1000, at: at(1))
        #expect(depth.drainRate == 0)
        depth.measure(900, at: at(3))
        #expect(depth.drainRate == 50 && depth.secondsUntil(100) == 17, "801 jobs at 50 a second")
        depth.measure(800, at: at(4))
        #expect(abs(depth.drainRate - 65) < 0.001, "0.7 of what was known, 0.3 of what is new")
    }

    @Test func `a push between two lengths makes them no measure of the rate`() {
        var depth = QueueDepth()
        depth.measure(1000, at: at(1))
        depth.pushed(500)
        depth.measure(400, at: at(2))
        #expect(depth.drainRate == 0)
        depth.measure(390, at: at(3))
        #expect(depth.drainRate == 10)
    }

    @Test func `the wait is at least a second and at most five minutes`() {
        var depth = QueueDepth()
        depth.measure(1_000_000, at: at(1))
        depth.measure(999_999, at: at(2))
        #expect(depth.secondsUntil(10) == 300)
        depth.measure(0, at: at(3))
        #expect(depth.secondsUntil(10) == 1)
        // A queue that grows, and looks at the same time.
        depth.measure(9_000_000, at: at(4))
        depth.measure(10, at: at(4))
        #expect(depth.drainRate == 0 && depth.secondsUntil(10) == 30)
    }

    @Test func `a queue that does not tell its length counts as having room for one`() {
        var depth = QueueDepth()
        depth.pushed(10)
        depth.assumeBelow(10)
        #expect(depth.last == 9)
    }
}
