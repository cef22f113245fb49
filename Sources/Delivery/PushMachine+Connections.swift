package import System

/// Connections: when one is dialled, and what becomes of pushes when one cannot be made, is lost, or is left.
extension PushMachine {
    var hasReadyLane: Bool { slots.contains { lanes[$0]!.servesQueue } }

    // MARK: Dialling

    /// Dials where a connection is wanted, allowed, and due.
    mutating func dial(at now: Instant) {
        guard now >= dialling.notBefore, let (endpoint, isForAsked) = wantedConnection, let slot = freeSlot(isForAsked)
        else { return }
        let takesPlace = lanes[slot] != nil
        if takesPlace { close(slot) }
        let attempt = Dialling.Attempt(
            slot: slot, endpoint: endpoint, isForAsked: isForAsked, deadline: now + policy.connectTimeout)
        dialling.begin(attempt, at: now)
        // The one that it takes the place of is soon wanted again: the two must not take turns in a tight loop.
        if takesPlace { dialling.pace(by: dialInterval) }
        act(.dial(slot: slot, endpoint))
    }

    private var dialInterval: Nanoseconds { min(DeliveryPolicy.dialInterval, policy.retryDelay) }

    /// Whether there is something to dial for, once its time has come.
    var wantsToDial: Bool { wantedConnection.map { freeSlot($0.isForAsked) != nil } ?? false }

    /// A slot for a connection: a free one, or else that of an idle connection which serves the other purpose.
    private func freeSlot(_ isForAsked: Bool) -> Int? {
        lanes.firstIndex { $0 == nil }
            ?? slots.first { lanes[$0]!.isIdle && lanes[$0]!.isReady && lanes[$0]!.isForAsked != isForAsked }
    }

    /// The connection that is wanted next: one for the queue before one for pushes that an ASK sends elsewhere.
    private var wantedConnection: (endpoint: Endpoint, isForAsked: Bool)? {
        guard !dialling.isUnderWay else { return nil }
        if !hasReadyLane && !slots.contains(where: { lanes[$0]!.state == .checking }) || dialling.wantsAnother {
            return (topology.current, false)
        }
        for item in waiting.items {
            guard let asked = item.push.asked else { continue }
            if !slots.contains(where: { !lanes[$0]!.isLeaving && lanes[$0]!.endpoint == asked }) {
                return (asked, true)
            }
        }
        return nil
    }

    /// The name look-up has ended; connecting has its own time.
    package mutating func lookUpEnded(at now: Instant) { dialling.extend(to: now + policy.connectTimeout) }

    /// The dial succeeded, and the server has answered the greeting.
    package mutating func connected(at now: Instant) {
        guard let attempt = dialling.ended() else { return }
        let servesQueue = attempt.endpoint == topology.current
        // Where neither holds, the queue has moved while this was being dialled.
        guard servesQueue || attempt.isForAsked else { return act(.close(slot: attempt.slot)) }
        let isChecking = policy.waitReplicas > 0
        let lane = Lane(endpoint: attempt.endpoint, isForAsked: !servesQueue, isChecking: isChecking, now: now)
        open(lane, in: attempt.slot)
        if isChecking {
            appendWait(.waitCheck, to: attempt.slot, replicas: 0, milliseconds: 0, now)
        } else {
            becomeReady(attempt.slot, at: now)
        }
    }

    /// A new connection can carry pushes. Only now is the attempt to connect a success.
    mutating func becomeReady(_ slot: Int, at now: Instant) {
        lanes[slot]!.becomeReady()
        if lanes[slot]!.servesQueue { dialling.succeeded() }
        breaker.connected()
        let endpoint = lanes[slot]!.endpoint
        note(.connected(isFirst: !hasConnected, redirectedTo: endpoint == topology.home ? nil : endpoint))
        hasConnected = true
        release(at: now)
    }

    /// The dial failed.
    ///
    /// - Parameter hasMoreAddresses: the server's name has other addresses that were not tried yet.
    package mutating func dialFailed(_ cause: ConnectionFailure, hasMoreAddresses: Bool, at now: Instant) {
        guard let attempt = dialling.ended() else { return }
        connectFailed(
            to: attempt.endpoint, isForAsked: attempt.isForAsked, cause, hasMoreAddresses: hasMoreAddresses, at: now)
    }

    /// An attempt to get a connection that can carry pushes has failed.
    private mutating func connectFailed(
        to endpoint: Endpoint, isForAsked: Bool, _ cause: ConnectionFailure, hasMoreAddresses: Bool, at now: Instant
    ) {
        if isForAsked { return askedDialFailed(endpoint, hasMoreAddresses: hasMoreAddresses, at: now) }
        let failure = DialFailure(cause: cause, redirectedTo: endpoint == topology.home ? nil : endpoint)
        if !hasMoreAddresses && endpoint == topology.current { topology.forgetOwner() }
        guard !hasReadyLane else {
            // One more would have helped, but is not needed.
            return dialling.wait(until: now + policy.retryDelay)
        }
        guard !hasMoreAddresses else { return dialling.wait(until: now) }
        // Redis is there, and will take jobs soon: they wait, as they would on a connection. If the breaker has opened before,
        // it stays open until Redis takes one.
        if cause.isBusy && breaker.state != .unreachable {
            if !dialling.isServerBusy { note(.dialFailed(failure)) }
            dialling.noteServerBusy()
            return dialling.wait(until: now + backoff.jittered(policy.retryDelay))
        }
        dialling.countFailure()
        if dialling.failures == 1 { note(.dialFailed(failure)) }
        failAttempts(at: now) { $0.push.asked == nil }
        if dialling.failures >= policy.attempts {
            breakerCause = .unreachable(failure)
            breaker.becameUnreachable()
            let delay = backoff.full(
                attempt: dialling.failures - policy.attempts, base: DeliveryPolicy.dialBase,
                cap: DeliveryPolicy.dialLimit)
            dialling.wait(until: now + delay)
        } else {
            dialling.wait(until: now + backoff.jittered(policy.retryDelay))
        }
    }

    /// Makes way for the dial to the node that has the queue. One to another node would hold it up.
    mutating func giveUpDial(unlessTo node: Endpoint) {
        guard let attempt = dialling.attempt, attempt.endpoint != node else { return }
        _ = dialling.ended()
        act(.close(slot: attempt.slot))
    }

    /// Pushes that were sent to that node go back to the one that has the queue.
    private mutating func askedDialFailed(_ node: Endpoint, hasMoreAddresses: Bool, at now: Instant) {
        guard !hasMoreAddresses else { return }
        dialling.wait(until: now + backoff.jittered(policy.retryDelay))
        failAttempts(at: now) { $0.push.asked == node }
    }

    /// Counts a failed attempt to connect against the pushes that waited for it.
    private mutating func failAttempts(at now: Instant, where isConcerned: (WaitingRoom.Item) -> Bool) {
        var (room, backoff) = (waiting, backoff)
        var failed: [(Push, PushFailure)] = []
        room.keep { item in
            guard isConcerned(item) else { return true }
            switch policy.fateAfterLoss(of: &item.push, isWritten: false, at: now, earliest: item.notBefore, &backoff) {
            case .again: return true
            case .failed(let failure): failed.append((item.push, failure))
            case .withScript, .redirected: preconditionFailure("a loss is not a reply")
            }
            return false
        }
        (waiting, self.backoff) = (room, backoff)
        for (push, failure) in failed { complete(push, .failed(failure), at: now) }
    }

    /// Fails the pushes that wait, but for those that are to be kept.
    mutating func failWaiting(
        _ failure: PushFailure, at now: Instant, unless isKept: (Push) -> Bool
    ) {
        var room = waiting
        var failed: [Push] = []
        room.keep { item in
            if isKept(item.push) { return true }
            failed.append(item.push)
            return false
        }
        waiting = room
        for push in failed { complete(push, .failed(push.honest(failure)), at: now) }
    }

    // MARK: Sending

    /// Whether a connection has something to send, and room for it as far as is known.
    package var hasSendable: Bool { slots.contains { hasUnsent($0) && !lanes[$0]!.isBlocked } }

    package func hasUnsent(_ slot: Int) -> Bool {
        lanes[slot] != nil && lanes[slot]!.hasUnsent && !lanes[slot]!.isLeaving
    }

    /// The bytes that a connection is to send next; none on one that is being left.
    package func withUnsent<Result>(on slot: Int, _ body: (Span<UInt8>) -> Result) -> Result {
        guard hasUnsent(slot) else { return body([UInt8]().span) }
        return lanes[slot]!.withUnsent(body)
    }

    /// The transport has taken so many of them, and the kernel has `delivered` bytes since the greeting.
    package mutating func sent(_ count: Int, delivered: UInt64, on slot: Int) {
        lanes[slot]?.sent(count, delivered: delivered)
    }

    /// Whether a connection waits for room in the kernel.
    package func isBlocked(_ slot: Int) -> Bool {
        guard let isBlocked = lanes[slot]?.isBlocked, isBlocked else { return false }
        return !lanes[slot]!.isLeaving
    }

    // MARK: Losing

    /// Closes a connection that has failed, and decides what becomes of its pushes.
    package mutating func lose(_ slot: Int, _ cause: ConnectionFailure, at now: Instant) {
        guard var lane = lanes[slot] else { return }
        close(slot)
        guard lane.state != .checking else {
            return connectFailed(
                to: lane.endpoint, isForAsked: lane.isForAsked, cause, hasMoreAddresses: false, at: now)
        }
        var ambiguous = 0
        var retried = 0
        for (command, bytes, isWritten) in lane.removeAll() {
            guard case .push(var push) = command else { continue }
            let fate = policy.fateAfterLoss(
                of: &push, isWritten: isWritten, at: now, earliest: lane.retryAt, &backoff)
            switch fate {
            case .again(let time):
                waiting.insert(WaitingRoom.Item(push: push, bytes: bytes, notBefore: time))
                retried += 1
            case .failed(let failure):
                if failure.mayBeQueued { ambiguous += 1 }
                complete(push, .failed(failure), at: now)
            case .withScript, .redirected: preconditionFailure("a loss is not a reply")
            }
        }
        while let held = lane.popUnconfirmed() {
            guard let push = held.push else { continue }
            ambiguous += 1
            complete(push, .failed(.ambiguous), at: now)
        }
        if case .leaving(_, _, let returned) = lane.state { retried += returned }
        let node = lane.endpoint == topology.home ? nil : lane.endpoint
        note(.lost(cause, ambiguous: ambiguous, retried: retried, redirectedTo: node))
        if !hasReadyLane {
            // A connection that is left had reasons, and where to go instead is known.
            if !lane.isLeaving && lane.endpoint == topology.current { topology.forgetOwner() }
            act(.forgetAddresses(lane.endpoint))
            if dialling.attempt?.isForAsked == true { giveUpDial(unlessTo: topology.current) }
        }
        dialling.pace(by: dialInterval)
        dial(at: now)
    }

    /// Writes nothing more to a connection. What Redis has whole it still answers.
    mutating func leave(_ slot: Int, _ cause: ConnectionFailure, at now: Instant) {
        // A redirection says where to go; after any other reason the next connection most likely meets the same answer.
        let isRedirection = cause == .refused(.elsewhere, word: "MOVED")
        let delay = Nanoseconds(isRedirection ? 0 : policy.retryDelay.count / 2)
        lanes[slot]!.leave(cause, retryAt: now + backoff.jittered(delay))
        if !isRedirection {
            dialling.wait(until: now + backoff.jittered(Nanoseconds(delay.count / 2)))
            act(.forgetAddresses(lanes[slot]!.endpoint))
        }
    }

    /// Closes a connection that is left, unless replies are on their way.
    mutating func closeUnlessAwaiting(_ slot: Int, at now: Instant) {
        guard case .leaving(let cause, _, _) = lanes[slot]!.state, !lanes[slot]!.awaitsReply else { return }
        if lanes[slot]!.isIdle { close(slot) } else { lose(slot, cause, at: now) }
    }

    /// Closes everything. What has no reply is lost to its sender.
    package mutating func close() {
        for slot in slots { close(slot) }
        if let attempt = dialling.ended() { act(.close(slot: attempt.slot)) }
    }
}
