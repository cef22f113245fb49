import CLinux
import Glibc
package import System

/// Identifies the owner of an event, a slot in the owner's table, and the slot's generation, which distinguishes an
/// event for the slot's present occupant from one for an earlier occupant.
package struct Token: Hashable {
    /// The components that receive events from the loop.
    package enum Owner: UInt8 {
        case listener = 1
        case webConnection = 2
        case redisConnection = 3
        case redisPool = 4
        case resolver = 5
        case signals = 6
        case reload = 7
        case formatCheck = 8
        case quarantine = 9
    }

    package let owner: Owner
    package let generation: UInt16
    package let slot: UInt32

    package init(_ owner: Owner, slot: Int = 0, generation: UInt16 = 0) {
        self.owner = owner
        self.generation = generation
        self.slot = UInt32(slot)
    }

    /// The token that has these `bits`.
    package init(bits: UInt64) {
        guard let owner = Owner(rawValue: UInt8(truncatingIfNeeded: bits >> 48)) else {
            preconditionFailure("an event without an owner")
        }
        self.owner = owner
        generation = UInt16(truncatingIfNeeded: bits >> 32)
        slot = UInt32(truncatingIfNeeded: bits)
    }

    package var bits: UInt64 { UInt64(owner.rawValue) << 48 | UInt64(generation) << 32 | UInt64(slot) }
}

/// The loop's epoll instance.
@safe package struct Poller: ~Copyable {
    /// The most events that one turn takes.
    package static let turnLimit = 512

    private let descriptor: Descriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private(set) package var count = 0

    package init() throws(SystemError) {
        let number = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard number >= 0 else { throw SystemError("epoll_create1") }
        descriptor = Descriptor(owning: number)
        unsafe events = .allocate(capacity: Poller.turnLimit)
    }

    deinit { unsafe events.deallocate() }

    /// Begins to watch a descriptor. Closing the descriptor ends the watch.
    package func watch(_ number: Int32, for readiness: Readiness, as token: Token) throws(SystemError) {
        try control(EPOLL_CTL_ADD, number, readiness, token)
    }

    package func rewatch(_ number: Int32, for readiness: Readiness, as token: Token) throws(SystemError) {
        try control(EPOLL_CTL_MOD, number, readiness, token)
    }

    package func unwatch(_ number: Int32) {
        var event = unsafe epoll_event()
        _ = unsafe epoll_ctl(descriptor.number, EPOLL_CTL_DEL, number, &event)
    }

    private func control(_ operation: Int32, _ number: Int32, _ readiness: Readiness, _ token: Token)
        throws(SystemError)
    {
        var event = unsafe epoll_event(events: readiness.rawValue, data: epoll_data_t(u64: token.bits))
        guard unsafe epoll_ctl(descriptor.number, operation, number, &event) == 0 else {
            throw SystemError("epoll_ctl")
        }
    }

    /// Waits until something is ready or `deadline` has come, and afterwards holds `count` events.
    package mutating func wait(until deadline: Instant) {
        var milliseconds: Int32 = -1
        if deadline != .never {
            // Rounded up: waking before the deadline would only mean another turn.
            milliseconds = Int32(min((deadline.since(.now) + 999_999) / 1_000_000, 60_000))
        }
        let result = unsafe epoll_wait(descriptor.number, events, Int32(Poller.turnLimit), milliseconds)
        count = max(0, Int(result))
    }

    package func event(_ index: Int) -> (token: Token, readiness: Readiness) {
        let event = unsafe events[index]
        return unsafe (Token(bits: event.data.u64), Readiness(rawValue: event.events))
    }
}
