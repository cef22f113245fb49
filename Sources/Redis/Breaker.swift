package import System

/// Decides whether Redis is asked at all.
///
/// Closed, it lets everything through. It opens when Redis cannot be reached after several attempts, or refuses what is
/// pushed; then everything is refused at once, until a connection succeeds or one push that was let through does. Whoever
/// lets one through says what became of it.
package struct Breaker {
    package enum State: Equatable {
        case closed
        /// No connection: the pool's next successful dial closes it.
        case unreachable
        /// Redis answers, and refuses: from `probe` on, one push may try.
        case refusing(probe: Instant)
        /// That push is on its way.
        case probing
    }

    package private(set) var state = State.closed

    package init() {}

    package var isClosed: Bool { state == .closed }

    /// Whether a push may go ahead.
    package mutating func admits(at now: Instant) -> Bool {
        switch state {
        case .closed: return true
        case .unreachable, .probing: return false
        case .refusing(let probe):
            guard now >= probe else { return false }
            state = .probing
            return true
        }
    }

    /// Whether a push would go ahead.
    package func wouldAdmit(at now: Instant) -> Bool {
        var trial = self
        return trial.admits(at: now)
    }

    /// A connection was made and greeted.
    package mutating func connected() {
        if state == .unreachable { state = .closed }
    }

    /// A push succeeded.
    package mutating func succeeded() { state = .closed }

    package mutating func becameUnreachable() { state = .unreachable }

    package mutating func wasRefused(probe: Instant) { state = .refusing(probe: probe) }
}

/// How long to wait before trying again.
package struct Backoff {
    package init() {}

    /// Anything from half of `delay` to all of it.
    package func jittered(_ delay: Nanoseconds) -> Nanoseconds {
        Nanoseconds(UInt64.random(in: delay.count / 2...delay.count))
    }

    /// Anything up to `base` doubled with every attempt, and up to `cap` (full jitter); at least a fiftieth of `base`.
    package func full(attempt: Int, base: Nanoseconds, cap: Nanoseconds) -> Nanoseconds {
        let ceiling = min(cap.count, base.count << UInt64(min(max(attempt, 0), 10)))
        return Nanoseconds(UInt64.random(in: base.count / 50...max(ceiling, base.count / 50)))
    }
}
