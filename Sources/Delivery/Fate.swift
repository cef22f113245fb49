import System

/// What becomes of a push after its connection was lost or Redis answered an error. The two functions below decide it.
enum Fate: Equatable {
    /// It is sent again, to whichever connection is ready then, not before `at`.
    case again(at: Instant)
    /// It is sent again at once on the same connection, with the script in place of its digest.
    case withScript
    /// It is sent to the node that the reply names.
    case redirected
    case failed(PushFailure)
}

extension DeliveryPolicy {
    /// The fate of a push whose connection was lost, or could not be made.
    ///
    /// What Redis did not get whole it did not execute: that is tried again. What it got whole may have happened, and is
    /// repeated only where its name makes that harmless.
    ///
    /// - Parameters:
    ///   - isWritten: whether the kernel had all of it, so that Redis may have executed it.
    ///   - earliest: no attempt before this, whatever the delay.
    func fateAfterLoss(
        of push: inout Push, isWritten: Bool, at now: Instant, earliest: Instant, _ backoff: inout Backoff
    ) -> Fate {
        push.attempts += 1
        // The next connection leads to the queue's node, which may redirect it again.
        push.wasRedirected = false
        push.asked = nil
        if isWritten { push.mayHaveHappened = true }
        guard !push.mayHaveHappened || push.isRepeatable else { return .failed(.ambiguous) }
        guard push.deadline > now else { return .failed(push.honest(.timedOut)) }
        guard push.attempts < attempts else { return .failed(push.honest(.notConnected)) }
        // At once the first time; a connection that breaks again and again must not be tried in a tight loop.
        let delay = push.attempts == 1 ? Nanoseconds(0) : backoff.jittered(retryDelay)
        return .again(at: max(now + delay, earliest))
    }

    /// The fate of a push that Redis answered with an error, and so did not execute.
    ///
    /// - Parameters:
    ///   - isProbing: whether the breaker is open and waits for what becomes of its probe.
    ///   - reconnectAt: when another connection may be tried, where the error asks for one.
    func fateAfterError(
        _ error: ErrorReply, word: String, of push: inout Push, isProbing: Bool, at now: Instant, reconnectAt: Instant,
        _ backoff: inout Backoff
    ) -> Fate {
        let refused = Fate.failed(push.honest(.refused(error, word: word)))
        switch error.remedy {
        case .fail, .failAndClose: return refused
        case .sendScript: return push.encoding == .digest ? .withScript : refused
        case .redirect:
            guard !push.wasRedirected else { return refused }
            push.wasRedirected = true
            return .redirected
        case .repeatHere(let limit):
            let delay = backoff.full(
                attempt: push.repeats, base: DeliveryPolicy.busyBase, cap: DeliveryPolicy.busyLimit)
            guard push.repeats < limit, now + delay < push.deadline else { return refused }
            push.repeats += 1
            return .again(at: now + delay)
        case .reconnect:
            push.attempts += 1
            // The probe has its answer.
            guard !isProbing, push.attempts < attempts, push.deadline > now else { return refused }
            push.wasRedirected = false
            push.asked = nil
            return .again(at: reconnectAt)
        }
    }
}
