import EventLoop
import RESP
import System

/// Making connections and losing them.
extension Pool {
    /// The least time between two attempts once the breaker is open, at most; Redis is found again within it.
    private static let probeLimit = Nanoseconds.milliseconds(800)
    private static let probeBase = Nanoseconds.milliseconds(100)
    /// Between two attempts, at least, even where the one before succeeded: a server that hangs up on everybody must
    /// not be dialled over and over.
    private static let dialInterval = Nanoseconds.milliseconds(100)

    func isLost(_ connection: Connection) -> Bool { connections[Int(connection.token.slot)] !== connection }

    /// Begins an attempt to connect where one is wanted, allowed, and due.
    func dial() {
        guard !dialler.isBusy, loop.now >= dialler.notBefore, let slot = connections.firstIndex(where: { $0 == nil })
        else { return }
        guard readyConnection() == nil || dialler.wantsAnother else { return }
        dialler.wantsAnother = false
        switch dialler.target() {
        case .pending: dialler.lookUpDeadline = loop.now + settings.connectTimeout
        case .failed(let reason): dialFailed(reason)
        case .address(let address): connect(to: address, slot: slot)
        }
    }

    private func connect(to address: SocketAddress, slot: Int) {
        do throws(SystemError) {
            let descriptor = try address.connect()
            let token = Token(.redisConnection, slot: slot, generation: generations[slot])
            try loop.watch(descriptor.number, for: [.readable, .writable], as: token)
            let connection = Connection(
                descriptor, token: token, endpoint: dialler.endpoint, asks: dialler.asks, now: loop.now)
            connections[slot] = connection
            dialler.dialling = slot
            dialler.lastDial = loop.now
            connection.deadline.set(loop.now + settings.connectTimeout, in: loop, for: token)
        } catch {
            dialFailed("\(error)", isAddressFault: true)
        }
    }

    /// The name's addresses have been found, or not.
    package func resolverEvent() {
        guard let found = dialler.resolver.finish() else { return }
        if dialler.resolved(found) {
            dial()
        } else {
            dialFailed("the name of \(dialler.endpoint) cannot be resolved")
        }
    }

    /// A look-up cannot be called off, and nothing else can be tried before it ends: it counts as a failed attempt as
    /// often as one could have been made meanwhile.
    func lookUpTookTooLong() {
        dialler.lookUpDeadline = loop.now + settings.connectTimeout
        dialFailed("the name of \(dialler.endpoint) is not resolved in time")
    }

    /// connect(2) has ended: says hello.
    func greet(_ connection: Connection) {
        let error = connection.descriptor.pendingError
        guard error == 0 else { return lose(connection, "connect: \(SystemError.text(error))") }
        connection.greet(settings.address)
        guard connection.flush() else { return abandon(connection, "the connection broke while greeting") }
        watch(connection)
    }

    /// Takes the reply to the greeting's oldest command. Returns false where the connection is lost over it.
    func takeGreeting(_ reply: Reply, on connection: Connection) -> Bool {
        if let objection = connection.greeting[0].objection(to: reply, from: settings.address) {
            lose(connection, objection)
            return false
        }
        connection.greeting.removeFirst()
        if connection.greeting.isEmpty { becameReady(connection) }
        return true
    }

    private func becameReady(_ connection: Connection) {
        connection.becomeReady()
        dialler.succeeded()
        breaker.connected()
        events.append(.connected(isFirst: !hasConnected))
        hasConnected = true
        release()
    }

    /// - Parameter isAddressFault: nobody is there; the name's next address may do.
    func dialFailed(_ reason: String, isAddressFault: Bool = false) {
        let reason = dialler.isRedirected ? "\(dialler.endpoint): \(reason)" : reason
        dialler.dialling = nil
        dialler.lastFailure = reason
        let hasMoreAddresses = isAddressFault && dialler.hasMoreAddresses
        if !hasMoreAddresses { dialler.forgetRedirect() }
        guard readyConnection() == nil else {
            // One more would have helped, but is not needed.
            dialler.notBefore = loop.now + settings.retryDelay
            return
        }
        if hasMoreAddresses {
            dialler.notBefore = loop.now
            return
        }
        dialler.failures += 1
        if dialler.failures == 1 { events.append(.dialFailed(reason: reason)) }
        failWaiting(.notConnected) { pending in
            pending.attempts += 1
            pending.wasRedirected = false
            return mayRetry(pending)
        }
        let delay: Nanoseconds
        if dialler.failures >= settings.attempts {
            breaker.becameUnreachable()
            delay = backoff.full(
                attempt: dialler.failures - settings.attempts, base: Pool.probeBase, cap: Pool.probeLimit)
        } else {
            delay = backoff.jittered(settings.retryDelay)
        }
        dialler.notBefore = loop.now + delay
    }

    /// Fails the pushes that wait and that are not to be kept.
    func failWaiting(_ failure: PushFailure, unless isKept: (inout Pending) -> Bool) {
        var kept: [Waiting] = []
        for var item in waiting {
            if isKept(&item.pending) {
                kept.append(item)
            } else {
                pendingBytes -= item.bytes.count
                complete(&item.pending, .failed(failure))
            }
        }
        waiting = kept
    }

    /// Closes a connection. What was not handed to the kernel whole did not happen, and waits for another connection;
    /// what was may have happened, and is repeated only where a mark makes that harmless.
    func lose(_ connection: Connection, _ reason: String) {
        guard !isLost(connection) else { return }
        var retried: [Waiting] = []
        var ambiguous = 0
        for var pending in connection.pending.removeAll() {
            pendingBytes -= pending.length
            guard pending.isPush, pending.waiter != nil else { continue }
            pending.attempts += 1
            pending.wasRedirected = false
            if pending.end <= connection.written { pending.mayHaveHappened = true }
            let isHarmless = !pending.mayHaveHappened || pending.isRepeatable
            if isHarmless && mayRetry(pending) {
                // At once the first time; a connection that breaks again and again must not be tried in a circle.
                let delay = pending.attempts == 1 ? Nanoseconds(0) : backoff.jittered(settings.retryDelay)
                let bytes = connection.command(pending)
                let notBefore = max(loop.now + delay, connection.leaving.retryAt)
                retried.append(Waiting(pending: pending, bytes: bytes, notBefore: notBefore))
            } else {
                ambiguous += pending.mayHaveHappened ? 1 : 0
                // Where it may have happened, this becomes `ambiguous`.
                complete(&pending, .failed(pending.deadline <= loop.now ? .timedOut : .notConnected))
            }
        }
        while var held = connection.unreplicated.popFirst() {
            ambiguous += held.pending.waiter == nil ? 0 : 1
            complete(&held.pending, .failed(.ambiguous))
        }
        for item in retried { pendingBytes += item.bytes.count }
        // Behind what the connection gave back before, so that all of it keeps its order.
        waiting.insert(contentsOf: retried, at: min(connection.returned, waiting.count))
        forget(connection)
        guard connection.isGreeted else {
            return dialFailed(reason, isAddressFault: connection.state == .connecting)
        }
        events.append(.lost(reason: reason, ambiguous: ambiguous, retried: connection.returned + retried.count))
        dialler.lastFailure = reason
        if readyConnection() == nil {
            // One that is left had reasons, and where to go instead is known.
            if connection.state != .leaving && connection.endpoint == dialler.endpoint { dialler.forgetRedirect() }
            dialler.forgetAddresses()
        }
        let interval = min(Pool.dialInterval, settings.retryDelay)
        dialler.notBefore = max(dialler.notBefore, dialler.lastDial + interval)
        dial()
    }

    /// Closes a connection that cannot be written to, after what Redis had answered before is read.
    func abandon(_ connection: Connection, _ reason: String) {
        while receive(on: connection) {}
        lose(connection, reason)
    }

    /// Frees the connection's place, and closes it.
    func forget(_ connection: Connection) {
        let slot = Int(connection.token.slot)
        connection.close()
        connections[slot] = nil
        generations[slot] &+= 1
    }

    func mayRetry(_ pending: Pending) -> Bool {
        pending.attempts < settings.attempts && pending.deadline > loop.now
    }
}
