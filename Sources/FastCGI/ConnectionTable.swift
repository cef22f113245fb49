import EventLoop

/// The connections of a server, each in a slot of its own that its token names.
///
/// A slot's deadline outlives its connections, so that connections which come and go leave no timers behind.
struct ConnectionTable {
    private struct Slot {
        var connection: Connection?
        var generation: UInt16 = 0
        var deadline = Deadline()
    }

    private let loop: EventLoop
    private var slots: [Slot] = []
    private var free: [Int] = []

    init(in loop: EventLoop) { self.loop = loop }

    var count: Int { slots.count - free.count }

    /// Gives a descriptor a slot.
    mutating func add(_ descriptor: consuming Descriptor) -> Connection {
        if free.isEmpty {
            free.append(slots.count)
            slots.append(Slot())
        }
        let slot = free.removeLast()
        let connection = Connection(
            descriptor, token: Token(.webConnection, slot: slot, generation: slots[slot].generation))
        slots[slot].connection = connection
        return connection
    }

    /// Frees a connection's slot, which closes it.
    mutating func remove(_ connection: Connection) {
        let slot = Int(connection.token.slot)
        slots[slot].connection = nil
        slots[slot].generation &+= 1
        slots[slot].deadline.clear()
        free.append(slot)
    }

    /// The connection that a token names; nil where its slot has been freed since.
    func connection(_ token: Token) -> Connection? {
        let slot = Int(token.slot)
        guard slot < slots.count, slots[slot].generation == token.generation else { return nil }
        return slots[slot].connection
    }

    var all: [Connection] { slots.compactMap(\.connection) }

    mutating func setDeadline(of connection: Connection, after delay: Nanoseconds) {
        let slot = Int(connection.token.slot)
        slots[slot].deadline.set(loop.now + delay, in: loop, for: Token(.webConnection, slot: slot))
    }

    mutating func clearDeadline(of connection: Connection) {
        slots[Int(connection.token.slot)].deadline.clear()
    }

    /// The connection whose deadline a timer has found passed, if there is one.
    mutating func overdue(_ timer: Token) -> Connection? {
        let slot = Int(timer.slot)
        guard slot < slots.count, slots[slot].deadline.hasPassed(in: loop, for: timer) else { return nil }
        return slots[slot].connection
    }
}
