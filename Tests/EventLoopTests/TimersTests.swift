import EventLoop
import System
import TestSupport
import Testing

struct TimersTests {
    private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test func `without timers nothing is due`() {
        var timers = Timers()
        #expect(timers.next == .never && timers.count == 0)
        #expect(timers.popDue(at: .now) == nil)
        #expect(timers.popDue(at: .never) == nil)
    }

    @Test func `timers come out earliest first, in whatever order they were added`() {
        var random = SplitMix64(seed: 3)
        for count in [1, 2, 3, 10, 500] {
            var timers = Timers()
            let deadlines = (0..<count).map { _ in UInt64(random.below(300)) }
            for (slot, deadline) in deadlines.enumerated() { timers.add(at(deadline), Token(.listener, slot: slot)) }
            #expect(timers.count == count && timers.next == at(deadlines.min()!))
            var taken: [UInt64] = []
            var slots: Set<UInt32> = []
            while let token = timers.popDue(at: at(300)) {
                taken.append(deadlines[Int(token.slot)])
                slots.insert(token.slot)
            }
            #expect(taken == deadlines.sorted())
            #expect(slots.count == count && timers.count == 0)
        }
    }

    @Test func `a timer is due at its deadline and not before`() {
        var timers = Timers()
        timers.add(at(100), Token(.listener))
        timers.add(at(50), Token(.webConnection))
        #expect(timers.popDue(at: at(49)) == nil)
        #expect(timers.popDue(at: at(50)) == Token(.webConnection))
        #expect(timers.popDue(at: at(99)) == nil)
        #expect(timers.next == at(100))
        #expect(timers.popDue(at: at(101)) == Token(.listener))
    }

    @Test func `timers added while others are taken out still come in order`() {
        var timers = Timers()
        var random = SplitMix64(seed: 4)
        var now: UInt64 = 0
        var last: UInt64 = 0
        for _ in 0..<2000 {
            now += UInt64(random.below(5))
            timers.add(at(now + UInt64(random.below(100))), Token(.listener))
            let next = timers.next.nanoseconds
            if timers.popDue(at: at(now)) != nil {
                #expect(next <= now && next >= last)
                last = min(next, now)
            } else {
                #expect(next > now)
            }
            last = min(last, timers.next.nanoseconds)
        }
    }
}
