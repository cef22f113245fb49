package import System

/// Decides whether a push may go to Redis.
///
/// Closed, it admits every push. It opens when Redis cannot be reached after several attempts, or refuses what is pushed.
/// Open, it refuses every push at once, until a connection succeeds or the one push that it admits as a probe does.
package struct Breaker {
    package enum State: Equatable {
        case closed
        /// No connection: the next successful dial closes it.
        case unreachable
        /// Redis refuses what is pushed: from `probe` on, one push may try.
        case refusing(probe: Instant)
        /// That push is on its way.
        case probing
        /// Redis refuses a command without which no push may be confirmed (WAIT): no push is let through before Redis
        /// has accepted that command.
        case lackingRights
    }

    package private(set) var state = State.closed

    package init() {}

    package var isClosed: Bool { state == .closed }

    /// Admits a push, or does not. The first after the probe's time becomes the probe.
    package mutating func tryAdmit(at now: Instant) -> Bool {
        switch state {
        case .closed: return true
        case .unreachable, .probing, .lackingRights: return false
        case .refusing(let probe):
            guard now >= probe else { return false }
            state = .probing
            return true
        }
    }

    /// Whether a push would go ahead.
    package func wouldAdmit(at now: Instant) -> Bool {
        var trial = self
        return trial.tryAdmit(at: now)
    }

    /// A connection was made and greeted.
    package mutating func connected() {
        if state == .unreachable { state = .closed }
    }

    /// A push succeeded.
    package mutating func succeeded() {
        if state != .lackingRights { state = .closed }
    }

    /// Connections fail. What is known of Redis' refusals may be out of date by the time that it is back.
    package mutating func becameUnreachable() { state = .unreachable }

    package mutating func wasRefused(probe: Instant) {
        if state != .lackingRights { state = .refusing(probe: probe) }
    }

    package mutating func rightsRefused() { state = .lackingRights }

    package mutating func rightsGranted() {
        if state == .lackingRights { state = .closed }
    }
}
