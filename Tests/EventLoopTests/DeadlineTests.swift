import EventLoop
import System
import Testing

/// A deadline and its loop. Times are counted from when it was made.
private final class Alarm {
    private let token = Token(.signals, slot: 1)
    private let start: Instant
    private(set) var deadline = Deadline()
    let loop: EventLoop

    init() throws {
        loop = try EventLoop()
        start = loop.now
    }

    func set(_ milliseconds: UInt64) { deadline.set(start + .milliseconds(milliseconds), in: loop, for: token) }
    func clear() { deadline.clear() }
    func hasPassed() -> Bool { deadline.hasPassed(in: loop, for: token) }

    /// Whether the loop's turn began at this time or later.
    func isPast(_ milliseconds: UInt64) -> Bool { loop.now >= start + .milliseconds(milliseconds) }

    /// Waits for the loop's next timers, and returns how many fired.
    func ring() -> Int {
        _ = loop.turn(within: .seconds(5))
        return loop.allDue().count
    }
}

struct DeadlineTests {
    private let alarm: Alarm

    init() throws { alarm = try Alarm() }

    @Test func `a deadline passes once`() {
        alarm.set(5)
        #expect(alarm.loop.allDue().isEmpty)
        #expect(!alarm.hasPassed())
        #expect(alarm.ring() == 1)
        #expect(alarm.hasPassed())
        #expect(alarm.deadline.time == .never)
        #expect(!alarm.hasPassed())
    }

    @Test func `a deadline moved later passes at its new time, and sets only one more timer`() {
        alarm.set(5)
        for delay in 380...400 { alarm.set(UInt64(delay)) }
        #expect(alarm.ring() == 1)
        #expect(!alarm.hasPassed())
        #expect(alarm.ring() == 1)
        #expect(alarm.isPast(400))
        #expect(alarm.hasPassed())
        // The twenty moves set no other timer.
        #expect(alarm.loop.wait(until: alarm.loop.now + .milliseconds(40)) == 0)
        #expect(alarm.loop.allDue().isEmpty)
    }

    @Test func `a deadline moved earlier passes at its new time`() {
        alarm.set(60_000)
        alarm.set(5)
        #expect(alarm.ring() == 1)
        #expect(!alarm.isPast(30_000))
        #expect(alarm.hasPassed())
    }

    @Test func `a cleared deadline does not pass, and can be set again`() {
        alarm.set(5)
        alarm.clear()
        #expect(alarm.ring() == 1)
        #expect(!alarm.hasPassed())
        // The timer is spent: the next deadline needs its own.
        alarm.set(5)
        #expect(alarm.ring() == 1)
        #expect(alarm.hasPassed())
    }

    @Test func `a deadline cleared and set again passes at its new time, not at the old timer`() {
        alarm.set(5)
        alarm.clear()
        alarm.set(300)
        #expect(alarm.ring() == 1)
        #expect(!alarm.hasPassed())
        #expect(alarm.ring() == 1)
        #expect(alarm.hasPassed() && alarm.isPast(300))
    }
}
