import Bytes
package import RESP
package import System

/// What the replies on a connection mean.
extension PushMachine {
    /// Takes the reply to the oldest command.
    package mutating func reply(_ reply: Reply, on slot: Int, at now: Instant) {
        guard let first = lanes[slot]?.inFlight.first else { return lose(slot, .unrequestedReply, at: now) }
        let error = Reply.errorText(of: reply)
        // The only thing that Redis can say about a command that it has in part is that it cannot parse it.
        guard first.end <= lanes[slot]!.written || error.map({ ErrorReply($0.span) }) == .protocolError else {
            return lose(slot, .unrequestedReply, at: now)
        }
        if let error {
            refused(first.command, error, on: slot, at: now)
        } else if !executed(first.command, reply, on: slot, at: now) {
            lose(slot, .unexpectedReply, at: now)
        }
    }

    /// All replies that have come are taken.
    package mutating func repliesEnded(on slot: Int, at now: Instant) {
        guard lanes[slot] != nil else { return }
        lanes[slot]!.trim()
        // What has gathered while WAIT was on its way.
        if policy.waitReplicas > 0 { release(at: now) }
        if case .leaving(let cause, _, _) = lanes[slot]!.state, !lanes[slot]!.awaitsReply { lose(slot, cause, at: now) }
    }

    /// Takes a reply that is not an error. Returns false where the command cannot have it.
    private mutating func executed(
        _ command: InFlight.Command, _ reply: Reply, on slot: Int, at now: Instant
    ) -> Bool {
        switch (command, reply) {
        case (.push(let push), .integer(let depth)) where depth >= 1:
            succeeded(push, .queued(depth: Int(depth)), on: slot, at: now)
        case (.push(let push), .bulk(let value?)) where push.encoding != .plain:
            succeeded(push, .existing(value), on: slot, at: now)
        case (.abandoned, .integer(let depth)) where depth >= 1:
            succeeded(nil, .queued(depth: Int(depth)), on: slot, at: now)
        case (.abandoned(let encoding), .bulk(let value?)) where encoding != .plain:
            succeeded(nil, .existing(value), on: slot, at: now)
        case (.asking, .simple): break
        case (.wait, .integer(let acknowledged)): confirm(on: slot, acknowledged: Int(acknowledged), at: now)
        case (.waitCheck, .integer): waitIsAllowed(on: slot, at: now)
        case (.length, .integer(let length)) where length >= 0:
            isLengthRefused = false
            queueDepth.measure(Int(length), at: now)
        default: return false
        }
        // A lane that has gone meanwhile has taken the command with it.
        _ = lanes[slot]?.popFirst()
        return true
    }

    /// The job is in the queue, or was before. With WAIT its sender is told only once replicas have it too.
    private mutating func succeeded(_ push: Push?, _ result: PushResult, on slot: Int, at now: Instant) {
        if case .queued(let depth) = result { queueDepth.pushed(depth) }
        if breaker.state == .probing { breaker.succeeded() }
        if policy.waitReplicas > 0 {
            lanes[slot]!.hold(push, result)
        } else if let push {
            complete(push, result, at: now)
        }
    }

    // MARK: WAIT

    /// Every push that was answered before its WAIT was written before it, and is covered.
    private mutating func confirm(on slot: Int, acknowledged: Int, at now: Instant) {
        let isEnough = acknowledged >= policy.waitReplicas
        while let held = lanes[slot]!.popUnconfirmed() {
            guard let push = held.push else { continue }
            complete(push, isEnough ? held.result : .failed(.notReplicated(acknowledged: acknowledged)), at: now)
        }
    }

    private mutating func waitIsAllowed(on slot: Int, at now: Instant) {
        nextWaitCheck = .never
        breaker.rightsGranted()
        if lanes[slot]!.state == .checking { becomeReady(slot, at: now) } else { release(at: now) }
    }

    /// Without the right to WAIT no push could be confirmed, and every retry would queue its job again: none is let
    /// through before Redis accepts it.
    private mutating func waitIsRefused(_ error: ErrorReply, _ word: String, on slot: Int, at now: Instant) {
        // A replica refuses WAIT after it has looked at the user's rights. To pushes it says that it is one.
        if error == .notPrimary { return waitIsAllowed(on: slot, at: now) }
        // A Redis that is loading says so to pushes as well.
        if error.concernsOneCommand {
            breakerCause = .waitRefused(word: word)
            breaker.rightsRefused()
            nextWaitCheck = now + backoff.jittered(DeliveryPolicy.misconfiguredProbe)
            failWaiting(.refused(error, word: word), at: now) { _ in false }
        }
        if lanes[slot]!.state == .checking { becomeReady(slot, at: now) }
    }

    // MARK: Refusals

    /// Takes an error reply to the oldest command, which was therefore not executed.
    private mutating func refused(_ command: InFlight.Command, _ text: [UInt8], on slot: Int, at now: Instant) {
        let error = ErrorReply(text.span)
        let word = ErrorReply.word(of: text.span)
        switch command {
        case .push(let push) where push.isAskingRefused && error == .elsewhere:
            refused(push, .askingRefused, askingRefusal, text, on: slot, at: now)
        case .push(let push): refused(push, error, word, text, on: slot, at: now)
        case .abandoned:
            _ = lanes[slot]!.popFirst()
            react(to: error, word, on: slot, at: now)
        case .wait:
            _ = lanes[slot]!.popFirst()
            while let held = lanes[slot]!.popUnconfirmed() {
                if let push = held.push { complete(push, .failed(.notConfirmed(word: word)), at: now) }
            }
            waitIsRefused(error, word, on: slot, at: now)
        case .waitCheck:
            _ = lanes[slot]!.popFirst()
            waitIsRefused(error, word, on: slot, at: now)
        case .length:
            _ = lanes[slot]!.popFirst()
            guard error.concernsOneCommand || error == .elsewhere else { break }
            if !isLengthRefused && error != .elsewhere { note(.lengthRefused(word: word)) }
            isLengthRefused = error != .elsewhere
            queueDepth.assumeBelow(policy.maxDepth)
        case .asking:
            _ = lanes[slot]!.popFirst()
            guard error.concernsOneCommand else { break }
            askingRefusal = word
            lanes[slot]!.noteAskingRefused()
        }
        if error.remedy == .failAndClose || error == .tooManyClients {
            lose(slot, .refused(error, word: word), at: now)
        }
    }

    private mutating func refused(
        _ push: Push, _ error: ErrorReply, _ word: String, _ text: [UInt8], on slot: Int, at now: Instant
    ) {
        let bytes = lanes[slot]!.firstBytes()
        _ = lanes[slot]!.popFirst()
        var push = push
        let isProbing = breaker.state == .probing
        let redirection = Redirection(text.span)
        let node = redirection?.endpoint(from: lanes[slot]!.endpoint)
        react(to: error, word, on: slot, at: now)
        var fate = policy.fateAfterError(
            error, word: word, of: &push, isProbing: isProbing, at: now, reconnectAt: lanes[slot]!.retryAt, &backoff)
        if fate == .redirected && node == nil { fate = .failed(push.honest(.refused(error, word: word))) }
        push.isAskingRefused = false
        switch fate {
        case .again(let time):
            if lanes[slot]!.isLeaving { lanes[slot]!.countReturned() }
            waiting.insert(WaitingRoom.Item(push: push, bytes: bytes, notBefore: time))
        case .withScript:
            push.encoding = .script
            append(push, idempotency.withScript(bytes), to: slot, at: now)
        case .redirected:
            let (node, redirection) = (node!, redirection!)
            push.asked = redirection.asks ? node : nil
            follow(to: node, asks: redirection.asks, from: slot, at: now)
            if lanes[slot]!.isLeaving { lanes[slot]!.countReturned() }
            // Not by `release`, which looks at all that wait.
            if let lane = laneForPush(push) {
                append(push, bytes, to: lane, at: now)
            } else {
                waiting.insert(WaitingRoom.Item(push: push, bytes: bytes, notBefore: now))
            }
        case .failed(let failure):
            // A refusal of one kind of command fails that delivery alone.
            if error.opensBreaker && !(error.concernsOneCommand && push.isRepeatable) {
                breakerCause = .refused(error, word: word)
                refusePushes(within: error.probeInterval, at: now)
            }
            complete(push, .failed(failure), at: now)
        }
    }

    /// What an error says about the connection and about Redis, whatever becomes of the push.
    private mutating func react(
        to error: ErrorReply, _ word: String, on slot: Int, at now: Instant
    ) {
        switch error.remedy {
        case .reconnect, .failAndClose:
            guard !lanes[slot]!.isLeaving else { break }
            let endpoint = lanes[slot]!.endpoint
            if endpoint == topology.current { topology.forgetOwner() }
            leave(slot, .refused(error, word: word), at: now)
            // What one connection to a replica says holds for the others.
            guard error == .notPrimary else { break }
            for other in slots where lanes[other]?.endpoint == endpoint && !lanes[other]!.isLeaving {
                leave(other, .refused(error, word: word), at: now)
                closeUnlessAwaiting(other, at: now)
            }
        case .repeatHere:
            // A probe has its answer, whatever becomes of it later.
            if breaker.state == .probing { refusePushes(within: DeliveryPolicy.refusalProbe, at: now) }
        case .fail, .redirect, .sendScript: break
        }
    }

    /// Sends a push on to the node that has its key: for good (MOVED), or for this push alone (ASK).
    private mutating func follow(to node: Endpoint, asks: Bool, from slot: Int, at now: Instant) {
        let origin = lanes[slot]!.endpoint
        guard !asks else {
            let isKnown = slots.contains { lanes[$0]!.isReady && lanes[$0]!.endpoint == node }
            if !isKnown && !waiting.items.contains(where: { $0.push.asked == node }) {
                note(.redirected(from: origin, to: node))
            }
            return
        }
        // The node that was left before has moved the queue too: that is known.
        guard !lanes[slot]!.isLeaving else { return }
        note(.redirected(from: origin, to: node))
        topology.moved(to: node)
        act(.forgetAddresses(node))
        giveUpDial(unlessTo: node)
        for other in slots where lanes[other] != nil && !lanes[other]!.isLeaving {
            if lanes[other]!.endpoint == node {
                lanes[other]!.serveQueue()
            } else if !lanes[other]!.isForAsked || other == slot {
                leave(other, .refused(.elsewhere, word: "MOVED"), at: now)
                if other != slot { closeUnlessAwaiting(other, at: now) }
            }
        }
    }
}

extension Reply {
    fileprivate static func errorText(of reply: Reply) -> [UInt8]? {
        if case .error(let text) = reply { text } else { nil }
    }
}
