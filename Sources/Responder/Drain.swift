import Delivery
import EventLoop
import FastCGI
import System

/// How far a process has got with its end.
enum Drain {
    case none
    /// Accepts no more, and serves the connections that there are until the web server has closed them.
    case serving(since: Instant, until: Instant)
    /// Has closed the idle connections, and finishes the requests that are under way.
    case finishing(since: Instant, until: Instant)
    case ended

    /// A later stop signal has ended it.
    var isAtOnce: Bool { if case .ended = self { true } else { false } }

    var hasBegun: Bool { if case .none = self { false } else { true } }

    /// When it must go on by itself.
    var nextStep: Instant {
        switch self {
        case .none, .ended: .never
        case .serving(_, let end), .finishing(_, let end): end
        }
    }
}

extension Responder {
    /// Stop signals within this time of the first one are one stop: a supervisor may send its signal to the process
    /// group, and its own supervisor pass it on once more.
    private static let oneStop = Nanoseconds.seconds(2)

    mutating func stop() {
        switch drain {
        case .none:
            log.line(.info, "draining: no more connections are accepted")
            drain = .serving(since: loop.now, until: loop.now + settings.drainTimeout)
            note(server.stopAccepting())
        case .serving(let began, _), .finishing(let began, _):
            guard loop.now.since(began) >= Responder.oneStop.count else { return }
            log.line(.warning, "stopping at once: \(queue.health.pendingCount) jobs waiting for Redis get no answer")
            drain = .ended
        case .ended: break
        }
    }

    /// After a turn: takes the drain a step further. Returns whether the process has drained.
    ///
    /// Closing a connection just as the web server uses it again would cost a request: that is left to the web server,
    /// for as long as the drain may take. A request that is under way then is finished; push and request have deadlines
    /// of their own.
    mutating func advanceDrain() -> Bool {
        switch drain {
        case .none: return false
        case .serving(let began, let end) where loop.now >= end:
            server.finish()
            // Within these times each request is whole, has its push's result, and its connection has lingered.
            let most = Nanoseconds(2 * settings.server.request.count + settings.delivery.pushDeadline.count)
            drain = .finishing(since: began, until: loop.now + most)
        case .finishing(_, let end) where loop.now >= end:
            log.line(.error, "drain timed out: closing \(server.connectionCount) connections that are still open")
            return true
        case .serving, .finishing: break
        case .ended: return true
        }
        return server.connectionCount == 0
    }
}
