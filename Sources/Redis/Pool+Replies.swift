import Bytes
package import EventLoop
import RESP

/// Events, replies and timers.
extension Pool {
    /// How long a push that was answered "not now" waits, doubled with every such answer.
    private static let retryBase = Nanoseconds.milliseconds(50)
    private static let retryLimit = Nanoseconds.milliseconds(800)
    /// How often one push is let through while Redis takes nothing, and while an operator is needed.
    private static let refusalProbe = Nanoseconds.milliseconds(800)
    private static let misconfiguredProbe = Nanoseconds.seconds(4)
    /// How often LLEN is asked while the queue is full.
    private static let depthInterval = Nanoseconds.milliseconds(250)

    private func connection(_ token: Token) -> Connection? {
        let slot = Int(token.slot)
        guard slot < connections.count, generations[slot] == token.generation else { return nil }
        return connections[slot]
    }

    // MARK: Events

    package func event(_ token: Token, _ readiness: Readiness) {
        guard let connection = connection(token) else { return }
        if connection.state == .connecting { return greet(connection) }
        if readiness.contains(.writable) { send(connection) }
        if !readiness.subtracting(.writable).isEmpty { receive(on: connection) }
    }

    private func receive(on connection: Connection) {
        let transfer = connection.receive()
        if case .bytes = transfer {
            do throws(ReplyFault) {
                while let reply = try connection.nextReply() {
                    guard take(reply, on: connection) else { return }
                }
            } catch {
                return lose(connection, "Redis sent something that is no RESP (\(error.rawValue))")
            }
            connection.discardReplies()
            guard !connection.isClogged else { return lose(connection, "Redis sent a reply that is too long") }
            connection.trim()
            if connection.state == .ready { setDeadline(of: connection) }
        } else if transfer == .closed {
            lose(connection, "Redis closed the connection")
        } else if case .failed(let code) = transfer {
            lose(connection, "recv: \(SystemError.text(code))")
        }
    }

    // MARK: Replies

    /// Takes the reply to the oldest command. Returns false where the connection is lost over it.
    private func take(_ reply: Reply, on connection: Connection) -> Bool {
        guard connection.state == .ready else { return takeGreeting(reply, on: connection) }
        guard let pending = connection.pending.first else {
            // Redis says so before it hangs up on one client too many.
            lose(connection, "Redis sent a reply that nobody had asked for")
            return false
        }
        if case .error(let text) = reply { return take(error: text, for: pending, on: connection) }
        guard pending.end <= connection.written else {
            lose(connection, "Redis answered a command that it does not have yet")
            return false
        }
        switch (pending.kind, reply) {
        case (.push, .integer(let depth)) where depth >= 1, (.marked, .integer(let depth)) where depth >= 1,
            (.scripted, .integer(let depth)) where depth >= 1:
            queueDepth.pushed(Int(depth))
            if breaker.state == .probing { breaker.succeeded() }
            finish(on: connection, .queued(depth: Int(depth)))
        case (.marked, .bulk(let value?)), (.scripted, .bulk(let value?)):
            if breaker.state == .probing { breaker.succeeded() }
            finish(on: connection, .marked(value))
        case (.wait(let covering), .integer(let acknowledged)):
            _ = popPending(on: connection)
            replicated(covering, Int(acknowledged), on: connection)
        case (.length, .integer(let depth)) where depth >= 0:
            _ = popPending(on: connection)
            queueDepth.measure(Int(depth), at: loop.now)
        default:
            lose(connection, "Redis sent a reply of a type that the command cannot have")
            return false
        }
        return true
    }

    private func popPending(on connection: Connection) -> Pending {
        let pending = connection.pending.popFirst()!
        pendingBytes -= pending.length
        return pending
    }

    /// Completes the oldest push, or keeps its result until replicas have acknowledged it.
    private func finish(on connection: Connection, _ result: PushResult) {
        var pending = popPending(on: connection)
        if settings.waitReplicas > 0 {
            connection.unreplicated.append((pending.waiter, pending.outcome(result)))
        } else {
            complete(&pending, result)
        }
    }

    private func replicated(_ covering: Int, _ acknowledged: Int, on connection: Connection) {
        connection.waits -= 1
        for _ in 0..<covering {
            guard var held = connection.unreplicated.popFirst() else { return }
            let isEnough = acknowledged >= settings.waitReplicas
            var result = held.result
            if !isEnough, case .queued = result { result = .failed(.notReplicated(acknowledged: acknowledged)) }
            if !isEnough, case .marked = result { result = .failed(.notReplicated(acknowledged: acknowledged)) }
            completeHeld(&held, result)
        }
    }

    // MARK: Error replies

    private func take(error text: [UInt8], for pending: Pending, on connection: Connection) -> Bool {
        let error = ErrorReply(text.span)
        let word = ErrorReply.word(of: text.span)
        let isUnasked = pending.end > connection.written
        guard !isUnasked || error == .tooManyClients || error == .protocolError else {
            lose(connection, "Redis answered \(word) to a command that it does not have yet")
            return false
        }
        guard pending.isPush else {
            _ = popPending(on: connection)
            if case .wait(let covering) = pending.kind { replicated(covering, 0, on: connection) }
            // Without the right to LLEN nothing can be measured: let a push tell.
            if pending.kind == .length && error == .misconfigured { queueDepth.pushed(settings.maxDepth - 1) }
            return true
        }
        // Its WAIT covers one fewer.
        switch error {
        case .unknownScript where pending.kind == .marked:
            sendScript(on: connection)
        case .tryAgain:
            tryAgain(on: connection, error, word, limit: .max)
        case .tooFewReplicas:
            tryAgain(on: connection, error, word, limit: 1)
        case .notPrimary, .notAuthenticated, .tooManyClients, .protocolError:
            return leave(connection, error, word)
        case .takesNothing, .elsewhere, .misconfigured, .unknownScript:
            let delay = error == .takesNothing ? Pool.refusalProbe : Pool.misconfiguredProbe
            let half = Nanoseconds(delay.count / 2)
            dialler.lastFailure = "Redis answered \(word): \(error.advice)"
            breaker.wasRefused(probe: loop.now + backoff.jittered(half))
            finishFailed(on: connection, .refused(error, word: word))
        }
        return true
    }

    /// A failed push has no result that replicas could confirm, but its place in the WAIT that covers it.
    private func finishFailed(on connection: Connection, _ failure: PushFailure) {
        finish(on: connection, .failed(failure))
    }

    /// Takes the oldest push off a connection, to be sent again. A WAIT that covered it finds an empty place.
    private func takeBack(from connection: Connection) -> (pending: Pending, bytes: [UInt8]) {
        let bytes = connection.command(connection.pending.first!)
        let pending = popPending(on: connection)
        if settings.waitReplicas > 0 { connection.unreplicated.append((nil, .failed(.ambiguous))) }
        return (pending, bytes)
    }

    private func sendScript(on connection: Connection) {
        var (pending, bytes) = takeBack(from: connection)
        pending.kind = .scripted
        append(pending, to: connection) { output in
            let whole = command.withScript(bytes.span)
            output.append(whole.span)
        }
    }

    private func tryAgain(on connection: Connection, _ error: ErrorReply, _ word: String, limit: Int) {
        let retries = connection.pending.first!.retries
        let delay = backoff.full(attempt: retries, base: Pool.retryBase, cap: Pool.retryLimit)
        // Were it the probe, no other push would ever be let through.
        if breaker.state == .probing { breaker.wasRefused(probe: loop.now + Pool.refusalProbe) }
        guard retries < limit, loop.now + delay < connection.pending.first!.deadline else {
            return finishFailed(on: connection, .refused(error, word: word))
        }
        var (pending, bytes) = takeBack(from: connection)
        guard pending.waiter != nil else { return }
        pending.retries += 1
        pendingBytes += bytes.count
        waiting.append(Waiting(pending: pending, bytes: bytes, notBefore: loop.now + delay))
    }

    /// Gives up a connection over an error reply, which says that the push was not executed: it is tried on the next one,
    /// as often as connection failures are.
    private func leave(_ connection: Connection, _ error: ErrorReply, _ word: String) -> Bool {
        var (pending, bytes) = takeBack(from: connection)
        pending.attempts += 1
        let reason = "Redis answered \(word): \(error.advice)"
        let mayRetry = pending.attempts < settings.attempts && error != .protocolError && breaker.state != .probing
        if !mayRetry || pending.deadline <= loop.now {
            dialler.lastFailure = reason
            breaker.wasRefused(probe: loop.now + backoff.jittered(Nanoseconds(Pool.refusalProbe.count / 2)))
            complete(&pending, .failed(.refused(error, word: word)))
        } else {
            pendingBytes += bytes.count
            let delay = backoff.jittered(Nanoseconds(settings.retryDelay.count / 2))
            waiting.insert(Waiting(pending: pending, bytes: bytes, notBefore: loop.now + delay), at: 0)
        }
        // Not in a circle: the next connection will most likely meet the same answer.
        dialler.notBefore = loop.now + backoff.jittered(Nanoseconds(settings.retryDelay.count / 4))
        dialler.forgetAddresses()
        lose(connection, reason)
        return false
    }

    // MARK: Timers

    /// When a connection's oldest command must have been answered, or its sender be told.
    func setDeadline(of connection: Connection) {
        guard let first = connection.pending.first else {
            let isFirst = readyConnection() === connection
            let idle = isFirst ? Instant.never : connection.lastUsed + Pool.idleLimit
            return connection.deadline.set(idle, in: loop, for: connection.token)
        }
        let reply = first.sentAt + settings.replyTimeout
        // Deadlines stand in order, but those of pushes that were tried again: they are told a little late at worst.
        var index = 0
        while index < connection.pending.count && connection.pending[index].waiter == nil { index += 1 }
        let deadline = index < connection.pending.count ? min(reply, connection.pending[index].deadline) : reply
        connection.deadline.set(deadline, in: loop, for: connection.token)
    }

    package func timer(_ token: Token) {
        if token == timerToken {
            if poolTimer.hasPassed(in: loop, for: token) { poolTimerFired() }
            return
        }
        guard let connection = connection(token), connection.deadline.hasPassed(in: loop, for: token) else { return }
        guard connection.state == .ready else { return lose(connection, "Redis did not answer the greeting in time") }
        guard let first = connection.pending.first else { return closeIdle(connection) }
        if first.sentAt + settings.replyTimeout <= loop.now {
            return lose(connection, "Redis did not answer in time")
        }
        for index in 0..<connection.pending.count where connection.pending[index].deadline <= loop.now {
            var pending = connection.pending[index]
            // What is not written yet still will be.
            complete(&pending, .failed(.ambiguous))
            connection.pending[index] = pending
        }
        setDeadline(of: connection)
    }

    private func closeIdle(_ connection: Connection) {
        guard readyConnection() !== connection, connection.lastUsed + Pool.idleLimit <= loop.now else {
            return setDeadline(of: connection)
        }
        let slot = Int(connection.token.slot)
        connections[slot] = nil
        generations[slot] &+= 1
    }

    private func poolTimerFired() {
        var kept: [Waiting] = []
        for var item in waiting {
            if item.pending.deadline <= loop.now {
                pendingBytes -= item.bytes.count
                complete(&item.pending, .failed(.timedOut))
            } else {
                kept.append(item)
            }
        }
        waiting = kept
        dial()
        release()
        askDepth()
        flush()
    }

    /// While the queue is full nothing is pushed, and so nothing tells that it is shorter: ask.
    private func askDepth() {
        guard nextDepthCheck <= loop.now else { return }
        nextDepthCheck = .never
        guard queueDepth.last >= settings.maxDepth, let connection = readyConnection(),
            connection.pending.isEmpty
        else { return }
        let length = Pending(kind: .length, waiter: nil, length: 0, deadline: .never)
        append(length, to: connection) { output in output.append(command: "LLEN", settings.queue) }
    }

    /// Sets the pool's own timer to what is due next: a dial, a push that waits, a look at the depth.
    func reschedule() {
        var next = Instant.never
        let isReady = readyConnection() != nil
        if !isReady && !dialler.isBusy { next = dialler.notBefore }
        for item in waiting {
            next = min(next, item.pending.deadline)
            if isReady { next = min(next, item.notBefore) }
        }
        if settings.maxDepth > 0 && queueDepth.last >= settings.maxDepth {
            if nextDepthCheck == .never { nextDepthCheck = loop.now + Pool.depthInterval }
            next = min(next, nextDepthCheck)
        }
        if next == .never { poolTimer.clear() } else { poolTimer.set(next, in: loop, for: timerToken) }
    }
}
