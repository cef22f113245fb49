import EventLoop
import System

/// Why a connection could not be accepted.
package enum AcceptFailure: Equatable {
    /// Descriptors or memory have run out: the error, and the call that failed. Accepting pauses.
    case exhausted(call: String, code: Int32)
    /// FCGI_WEB_SERVER_ADDRS does not name the peer's address.
    case refused(peer: String)
    /// The socket no longer listens, and never will again.
    case dead(code: Int32)

    init(_ error: SystemError) { self = .exhausted(call: "\(error.call)", code: error.code) }
}

/// Accepts connections, and pauses when descriptors or memory have run out.
struct Acceptor: ~Copyable {
    private static let token = Token(.listener)

    private let loop: EventLoop
    private var listener: Listener
    private var resumes = Deadline()
    private var isPaused = false

    init(_ listener: consuming Listener, in loop: EventLoop) throws(SystemError) {
        self.loop = loop
        self.listener = listener
        try loop.watch(self.listener.number, for: [.readable, .exclusive], as: Acceptor.token)
    }

    /// Accepts some of the waiting connections, and hands them to `add`. Returns the failures.
    mutating func accept(
        atMost limit: Int, _ add: (consuming Descriptor) throws(SystemError) -> Void
    ) -> [AcceptFailure] {
        guard listener.isOpen else { return [] }
        listener.ensureNonBlocking()
        var failures: [AcceptFailure] = []
        for _ in 0..<limit {
            switch listener.accept() {
            case .nobody: return failures
            case .refused(let peer): failures.append(.refused(peer: peer))
            case .exhausted(let error):
                pause()
                return failures + [AcceptFailure(error)]
            case .dead(let error):
                stopWatching()
                listener.close()
                return failures + [.dead(code: error.code)]
            case .connection(let descriptor):
                do throws(SystemError) {
                    try add(descriptor)
                } catch {
                    // A sibling with more room may accept the waiting connections.
                    pause()
                    return failures + [AcceptFailure(error)]
                }
            }
        }
        return failures
    }

    /// Accepts nothing for a while.
    mutating func pause() {
        guard listener.isOpen else { return }
        if !isPaused { loop.unwatch(listener.number) }
        isPaused = true
        resumes.set(loop.now + Server.exhaustionDelay, in: loop, for: Acceptor.token)
    }

    /// On the listener's timer: watches the listener again. If that fails, pauses again and returns the error.
    mutating func resume() -> SystemError? {
        guard resumes.hasPassed(in: loop, for: Acceptor.token), isPaused, listener.isOpen else { return nil }
        do throws(SystemError) {
            try loop.watch(listener.number, for: [.readable, .exclusive], as: Acceptor.token)
            isPaused = false
            return nil
        } catch {
            pause()
            return error
        }
    }

    /// Stops the listener's events. Closing the descriptor alone would not stop them: the open socket is shared with
    /// the sibling processes.
    mutating func stopWatching() {
        if listener.isOpen && !isPaused { loop.unwatch(listener.number) }
        isPaused = true
    }

    mutating func close() { listener.close() }
}
