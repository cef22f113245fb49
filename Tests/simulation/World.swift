import System
import TestSupport

/// Virtual time, random numbers, and what is to happen. A world with the same seed always runs the same way.
final class World {
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    var random: SplitMix64
    private var happenings: [Happening] = []
    private var order: UInt64 = 0
    /// Everything that happened, where somebody wants to read it.
    private(set) var trace: [String]?

    private struct Happening {
        let time: Instant
        let order: UInt64
        let action: () -> Void
    }

    init(seed: UInt64, isTraced: Bool) {
        random = SplitMix64(seed: seed)
        trace = isTraced ? [] : nil
    }

    func note(_ text: @autoclosure () -> String) {
        guard trace != nil else { return }
        let milliseconds = Double(now.nanoseconds - 1_000_000_000) / 1e6
        let whole = Int(milliseconds * 1000)
        trace!.append("\(whole / 1000).\(String(whole % 1000 + 1000).dropFirst()) \(text())")
    }

    // MARK: Chance

    func below(_ limit: Int) -> Int { random.below(limit) }
    /// True once in so many times.
    func oneIn(_ count: Int) -> Bool { random.below(count) == 0 }
    func microseconds(_ range: ClosedRange<Int>) -> Nanoseconds {
        Nanoseconds(UInt64(range.lowerBound + random.below(range.count)) * 1000)
    }
    func milliseconds(_ range: ClosedRange<Int>) -> Nanoseconds {
        Nanoseconds(
            UInt64(range.lowerBound * 1000 + random.below((range.upperBound - range.lowerBound) * 1000 + 1)) * 1000)
    }

    // MARK: Time

    func after(_ delay: Nanoseconds, _ action: @escaping () -> Void) { at(now + delay, action) }

    /// What is due at the same time happens in the order in which it was asked for.
    func at(_ time: Instant, _ action: @escaping () -> Void) {
        happenings.append(Happening(time: max(time, now), order: order, action: action))
        order += 1
        var child = happenings.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            happenings.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Forgets what is to happen, and so all that the actions hold.
    func end() { happenings.removeAll() }

    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        let (a, b) = (happenings[a], happenings[b])
        return a.time == b.time ? a.order < b.order : a.time < b.time
    }

    /// Lets the next thing happen, unless that is later than `limit`. Returns false where nothing is left.
    func step(until limit: Instant) -> Bool {
        guard let first = happenings.first, first.time <= limit else {
            now = limit
            return false
        }
        happenings.swapAt(0, happenings.count - 1)
        happenings.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < happenings.count && isBefore(child, least) {
                least = child
            }
            if least == parent { break }
            happenings.swapAt(parent, least)
            parent = least
        }
        now = first.time
        first.action()
        return true
    }
}
