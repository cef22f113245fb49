import EventLoop
import System

/// The connections of a server, each in a slot of its own that its token names.
///
/// A slot's deadlines outlive its connections, so that connections which come and go leave no timers behind. There are
/// two, since a deadline that is moved to and fro between a long and a short time would set a timer each time.
struct ConnectionTable {
    enum Limit { case idle, request }

    private struct Slot {
        var connection: Connection?
        var generation: UInt16 = 0
        var idle = Deadline()
        var request = Deadline()
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
        clearDeadlines(of: connection)
        free.append(slot)
    }

    /// The connection that a token names; nil if its slot has been freed since.
    func connection(_ token: Token) -> Connection? {
        let slot = Int(token.slot)
        guard slot < slots.count, slots[slot].generation == token.generation else { return nil }
        return slots[slot].connection
    }

    var all: [Connection] { slots.compactMap(\.connection) }

    /// Sets the one deadline that a connection has.
    mutating func setDeadline(_ limit: Limit, of connection: Connection, after delay: Nanoseconds) {
        clearDeadlines(of: connection)
        let slot = Int(connection.token.slot)
        let (time, timer) = (loop.now + delay, Token(.webConnection, slot: slot))
        switch limit {
        case .idle: slots[slot].idle.set(time, in: loop, for: timer)
        case .request: slots[slot].request.set(time, in: loop, for: timer)
        }
    }

    mutating func clearDeadlines(of connection: Connection) {
        let slot = Int(connection.token.slot)
        slots[slot].idle.clear()
        slots[slot].request.clear()
    }

    /// On a timer: the connection whose deadline has passed, or nil.
    mutating func overdue(_ timer: Token) -> Connection? {
        let slot = Int(timer.slot)
        guard slot < slots.count else { return nil }
        let isIdleOver = slots[slot].idle.hasPassed(in: loop, for: timer)
        let isRequestOver = slots[slot].request.hasPassed(in: loop, for: timer)
        return isIdleOver || isRequestOver ? slots[slot].connection : nil
    }
}
