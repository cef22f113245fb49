package import System

/// Deadlines with the tokens of their owners: a binary heap, earliest first.
///
/// A timer is never cancelled. When it is due, its owner checks its own deadline and sets another timer if that has
/// moved. So moving a deadline, which every request does, costs nothing here.
package struct Timers {
    private var heap: [(deadline: Instant, token: Token)] = []

    package init() {}

    /// When the next timer is due; `.never` if there is none.
    package var next: Instant { heap.first?.deadline ?? .never }
    package var count: Int { heap.count }

    package mutating func add(_ deadline: Instant, _ token: Token) {
        heap.append((deadline, token))
        var child = heap.count - 1
        while child > 0, heap[child].deadline < heap[(child - 1) / 2].deadline {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes out one timer that is due, or nil.
    package mutating func popDue(at now: Instant) -> Token? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].deadline < heap[least].deadline {
                least = child
            }
            if least == parent { return first.token }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
