import Bytes
import EventLoop
import System

/// What Redis refuses, and what is done about it.
extension Pool {
    /// How long a push that was answered "not now" waits, doubled with every such answer.
    private static let retryBase = Nanoseconds.milliseconds(50)
    private static let retryLimit = Nanoseconds.milliseconds(800)
    /// How often one push is let through while Redis takes nothing, and while an operator is needed.
    static let refusalProbe = Nanoseconds.milliseconds(800)
    private static let misconfiguredProbe = Nanoseconds.seconds(3)

    func take(error text: [UInt8], for pending: Pending, on connection: Connection) -> Bool {
        let error = ErrorReply(text.span)
        let word = ErrorReply.word(of: text.span)
        guard pending.isPush else {
            _ = popPending(on: connection)
            if pending.kind == .wait { replicated(0, on: connection) }
            if pending.kind == .length && (error == .misconfigured || error == .elsewhere) {
                queueDepth.supposeBelow(settings.maxDepth)
            }
            return true
        }
        if error == .elsewhere, !pending.wasRedirected, follow(text, from: connection) { return true }
        switch error {
        case .unknownScript where pending.kind == .marked:
            sendScript(on: connection)
        case .tryAgain:
            tryAgain(on: connection, error, word, limit: .max)
        case .tooFewReplicas:
            tryAgain(on: connection, error, word, limit: 1)
        case .notPrimary, .notAuthenticated, .tooManyClients, .protocolError:
            return leave(connection, error, word)
        case .takesNothing, .elsewhere, .protectedMode, .misconfigured, .unknownScript:
            dialler.lastFailure = "Redis answered \(word): \(error.advice)"
            wasRefused(within: error == .takesNothing ? Pool.refusalProbe : Pool.misconfiguredProbe)
            finish(on: connection, .failed(.refused(error, word: word)))
        }
        return true
    }

    /// Refuses pushes at once, until one is let through after half to all of `interval`.
    func wasRefused(within interval: Nanoseconds) {
        breaker.wasRefused(probe: loop.now + backoff.jittered(interval))
    }

    /// Takes the oldest push off a connection, to be sent again.
    private func takeBack(from connection: Connection) -> (pending: Pending, bytes: [UInt8]) {
        let bytes = connection.command(connection.pending.first!)
        return (popPending(on: connection), bytes)
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
        // A probe has its answer; whether this push succeeds in the end is another matter.
        if breaker.state == .probing { wasRefused(within: Pool.refusalProbe) }
        let retries = connection.pending.first!.retries
        let delay = backoff.full(attempt: retries, base: Pool.retryBase, cap: Pool.retryLimit)
        guard retries < limit, loop.now + delay < connection.pending.first!.deadline else {
            return finish(on: connection, .failed(.refused(error, word: word)))
        }
        var (pending, bytes) = takeBack(from: connection)
        guard pending.waiter != nil else { return }
        pending.retries += 1
        pendingBytes += bytes.count
        waiting.append(Waiting(pending: pending, bytes: bytes, notBefore: loop.now + delay))
    }

    /// Gives up a connection over an error reply, which says that the push was not executed: it is tried on the next one,
    /// as often as connection failures are. Those behind it have their replies on the way, and wait for them here.
    private func leave(_ connection: Connection, _ error: ErrorReply, _ word: String) -> Bool {
        var (pending, bytes) = takeBack(from: connection)
        // To be sent on is no failure, and ends by itself.
        let isSentOn = error == .elsewhere
        if !isSentOn { pending.attempts += 1 }
        let reason = "Redis answered \(word): \(error.advice)"
        if connection.state == .ready {
            beginLeaving(connection, reason)
            if !isSentOn { dialler.forgetRedirect() }
        }
        if mayRetry(pending) && error != .protocolError && (breaker.state != .probing || isSentOn) {
            guard pending.waiter != nil else { return true }
            pendingBytes += bytes.count
            let item = Waiting(pending: pending, bytes: bytes, notBefore: connection.leaving.retryAt)
            waiting.insert(item, at: min(connection.returned, waiting.count))
            connection.returned += 1
        } else {
            dialler.lastFailure = reason
            wasRefused(within: Pool.refusalProbe)
            complete(&pending, .failed(.refused(error, word: word)))
        }
        guard error == .protocolError || error == .tooManyClients else { return true }
        lose(connection, reason)
        return false
    }

    /// Follows a node of a cluster to the one that it names, and tries the push there. Returns false where that is no node.
    private func follow(_ text: [UInt8], from connection: Connection) -> Bool {
        guard let redirection = Redirection(text.span), let endpoint = redirection.endpoint(from: connection.endpoint)
        else { return false }
        let isFirst = connection.state == .ready
        connection.pending[0].wasRedirected = true
        _ = leave(connection, .elsewhere, ErrorReply.word(of: text.span))
        guard isFirst else { return true }
        dialler.follow(to: endpoint, asks: redirection.asks)
        events.append(.redirected(from: "\(connection.endpoint)", to: "\(endpoint)"))
        // The others most likely lead to the same node, which has not what is wanted.
        for case let other? in connections where other.state != .leaving {
            if other.endpoint != endpoint || redirection.asks && !other.asks {
                giveUp(other, connection.leaving.reason)
            }
        }
        return true
    }

    /// Leaves a connection that no reply has just come on.
    private func giveUp(_ connection: Connection, _ reason: String) {
        if connection.pending.isEmpty && connection.unreplicated.isEmpty {
            if dialler.dialling == Int(connection.token.slot) { dialler.dialling = nil }
            return forget(connection)
        }
        beginLeaving(connection, reason)
        if connection.awaitsReply { setDeadline(of: connection) } else { lose(connection, reason) }
    }

    private func beginLeaving(_ connection: Connection, _ reason: String) {
        let delay = Nanoseconds(settings.retryDelay.count / 2)
        connection.leave(reason, retryAt: loop.now + backoff.jittered(delay))
        // Not in a circle: the next connection will most likely meet the same answer.
        dialler.notBefore = loop.now + backoff.jittered(Nanoseconds(delay.count / 2))
        dialler.forgetAddresses()
        try? loop.rewatch(connection.descriptor.number, for: .readable, as: connection.token)
    }
}
