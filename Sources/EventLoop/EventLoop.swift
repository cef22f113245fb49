package import System

/// Something that knows the time and wakes the owner of a token when a deadline has come.
package protocol Scheduler: AnyObject {
    /// The monotonic time at which this turn began.
    var now: Instant { get }
    /// Asks for `token` to be `due` at `deadline`.
    func schedule(_ deadline: Instant, _ token: Token)
}

/// The event loop of a process: the descriptors that are ready, the timers that are due, and the time.
///
/// The program takes one turn after another: `wait()`, then every `event`, then every `due` token.
package final class EventLoop: Scheduler {
    private var poller: Poller
    private(set) var timers = Timers()

    /// The monotonic time at which this turn began.
    package private(set) var now = Instant.now

    package init() throws(SystemError) { poller = try Poller() }

    /// Sleeps until something is ready or due, at most until `limit`, and begins a turn. Returns the number of events.
    package func wait(until limit: Instant = .never) -> Int {
        poller.wait(until: min(limit, timers.next))
        now = .now
        return poller.count
    }

    /// Takes what has become ready meanwhile into the same turn, without sleeping. Returns the number of events.
    package func look() -> Int { wait(until: Instant(nanoseconds: 0)) }

    package func event(_ index: Int) -> (token: Token, readiness: Readiness) { poller.event(index) }

    /// The next timer that is due, or nil. It may be out of date: its owner must check.
    package func due() -> Token? { timers.popDue(at: now) }

    /// Asks for `token` to be `due` at `deadline`.
    package func schedule(_ deadline: Instant, _ token: Token) { timers.add(deadline, token) }

    package func watch(_ number: Int32, for readiness: Readiness, as token: Token) throws(SystemError) {
        try poller.watch(number, for: readiness, as: token)
    }

    package func rewatch(_ number: Int32, for readiness: Readiness, as token: Token) throws(SystemError) {
        try poller.rewatch(number, for: readiness, as: token)
    }

    package func unwatch(_ number: Int32) { poller.unwatch(number) }
}

/// A deadline that can move. The loop's timers report it to its owner.
///
/// Moving it later costs nothing: the timer that is already set fires early, and is then set again.
package struct Deadline {
    package private(set) var time = Instant.never
    private var armed = Instant.never

    package init() {}

    package mutating func set(_ time: Instant, in loop: any Scheduler, for token: Token) {
        self.time = time
        if time < armed { arm(in: loop, for: token) }
    }

    package mutating func clear() { time = .never }

    /// On a timer: returns whether the deadline has passed. If it has moved, sets a new timer.
    package mutating func hasPassed(in loop: any Scheduler, for token: Token) -> Bool {
        if time <= loop.now {
            clear()
            armed = .never
            return true
        }
        if armed <= loop.now {
            armed = .never
            if time != .never { arm(in: loop, for: token) }
        }
        return false
    }

    private mutating func arm(in loop: any Scheduler, for token: Token) {
        armed = time
        loop.schedule(time, token)
    }
}
