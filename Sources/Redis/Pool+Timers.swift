package import EventLoop
import RESP
import System

/// What is due: deadlines, retries, probes.
extension Pool {
    /// How often LLEN is asked while the queue is full.
    private static let depthInterval = Nanoseconds.milliseconds(250)

    /// When a connection's oldest command must have been answered, or its sender be told.
    func setDeadline(of connection: Connection) {
        guard let first = connection.pending.first else {
            let isFirst = readyConnection() === connection
            let idle = isFirst ? Instant.never : connection.lastUsed + settings.idleTimeout
            return connection.deadline.set(idle, in: loop, for: connection.token)
        }
        let deadline = min(first.sentAt + settings.replyTimeout, connection.earliestDeadline)
        connection.deadline.set(deadline, in: loop, for: connection.token)
    }

    /// On the pool's own timer.
    package func timer() {
        if poolTimer.hasPassed(in: loop, for: timerToken) { poolTimerFired() }
    }

    /// On a connection's timer.
    package func timer(_ token: Token) {
        guard let connection = connection(token), connection.deadline.hasPassed(in: loop, for: token) else { return }
        if connection.state == .connecting {
            return lose(connection, "no connection within the time of SERVICEDESK_REDIS_CONNECT_TIMEOUT")
        }
        guard connection.isGreeted else { return lose(connection, "Redis did not answer the greeting in time") }
        guard let first = connection.pending.first else { return closeIdle(connection) }
        if first.sentAt + settings.replyTimeout <= loop.now {
            return lose(connection, "Redis did not answer in time")
        }
        // Even what the kernel has not yet is on its way, and cannot be called back.
        connection.takeExpired(at: loop.now) { complete(&$0, .failed(.ambiguous)) }
        setDeadline(of: connection)
    }

    private func closeIdle(_ connection: Connection) {
        guard readyConnection() !== connection, connection.lastUsed + settings.idleTimeout <= loop.now else {
            return setDeadline(of: connection)
        }
        dialler.wantsAnother = false
        forget(connection)
    }

    private func poolTimerFired() {
        failWaiting(.timedOut) { $0.deadline > loop.now }
        if dialler.lookUpDeadline <= loop.now { lookUpTookTooLong() }
        dial()
        release()
        askDepth()
        flush()
    }

    /// While the queue is full nothing is pushed, and so nothing tells that it is shorter: ask.
    private func askDepth() {
        guard nextDepthCheck <= loop.now else { return }
        nextDepthCheck = .never
        guard isQueueFull, let connection = readyConnection(), connection.pending.isEmpty else { return }
        let length = Pending(kind: .length, waiter: nil, length: 0, deadline: .never)
        append(length, to: connection) { output in output.append(command: "LLEN", settings.queue) }
    }

    /// Sets the pool's own timer to what is due next: a dial, a push that waits, a look at the depth.
    func reschedule() {
        var next = Instant.never
        let isReady = readyConnection() != nil
        if !isReady && !dialler.isBusy && connections.contains(where: { $0 == nil }) { next = dialler.notBefore }
        for item in waiting {
            next = min(next, item.pending.deadline)
            if isReady { next = min(next, item.notBefore) }
        }
        if isQueueFull {
            if nextDepthCheck == .never { nextDepthCheck = loop.now + Pool.depthInterval }
            next = min(next, nextDepthCheck)
        }
        next = min(next, dialler.lookUpDeadline)
        if next == .never { poolTimer.clear() } else { poolTimer.set(next, in: loop, for: timerToken) }
    }
}
