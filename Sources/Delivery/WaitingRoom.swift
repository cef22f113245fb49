import System

/// Pushes that no connection has, in the order in which they were taken: none is ready, or their time has not come.
struct WaitingRoom {
    struct Item {
        var push: Push
        /// The command, as it is sent.
        let bytes: [UInt8]
        /// When it may be sent.
        var notBefore: Instant
    }

    private(set) var items: [Item] = []
    /// Bytes of all commands.
    private(set) var byteCount = 0

    var isEmpty: Bool { items.isEmpty }

    mutating func insert(_ item: Item) {
        byteCount += item.bytes.count
        var (low, high) = (0, items.count)
        // New pushes, the usual case, go to the end at the first look.
        if let last = items.last, last.push.sequence < item.push.sequence { low = items.count }
        while low < high {
            let middle = (low + high) / 2
            if items[middle].push.sequence < item.push.sequence { low = middle + 1 } else { high = middle }
        }
        items.insert(item, at: low)
    }

    /// Hands each item to `body`, oldest first, and removes those for which it returns false. `body` may change a push.
    mutating func keep(where body: (inout Item) -> Bool) {
        var kept: [Item] = []
        for var item in items {
            if body(&item) { kept.append(item) } else { byteCount -= item.bytes.count }
        }
        items = kept
    }

    /// When the first of them must have its result: they are in the order in which they were taken, and all have as long.
    var deadline: Instant { items.first?.push.deadline ?? .never }
}
