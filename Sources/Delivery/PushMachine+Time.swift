import RESP
package import System

/// What is due: deadlines, another try, a look at the queue's length.
extension PushMachine {
    /// Does what is due. Its driver calls it at `wakeAt`, or later.
    package mutating func tick(at now: Instant) {
        failWaiting(.timedOut, at: now) { $0.deadline > now }
        for slot in slots { tick(slot, at: now) }
        if let attempt = dialling.attempt, attempt.deadline <= now { act(.giveUpDial(slot: attempt.slot)) }
        dial(at: now)
        release(at: now)
        askLength(at: now)
        checkWait(at: now)
    }

    private mutating func tick(_ slot: Int, at now: Instant) {
        guard lanes[slot] != nil, deadline(of: slot) <= now else { return }
        guard let first = lanes[slot]!.inFlight.first else { return closeIdle(slot) }
        if first.sentAt + policy.replyTimeout <= now { return lose(slot, .replyTimedOut, at: now) }
        var expired: [Push] = []
        lanes[slot]!.expire(at: now) { expired.append($0) }
        // Even what the kernel has not yet is on its way, and cannot be called back.
        for push in expired { complete(push, .failed(.ambiguous), at: now) }
    }

    /// When a connection's oldest command must have been answered, or the sender of one be told; of an idle connection,
    /// when it is closed. The first that serves the queue stays.
    private func deadline(of slot: Int) -> Instant {
        if let first = lanes[slot]!.inFlight.first {
            return min(first.sentAt + policy.replyTimeout, lanes[slot]!.earliestDeadline)
        }
        let isFirst = slots.first { lanes[$0]!.servesQueue } == slot
        return isFirst ? .never : lanes[slot]!.lastUsed + policy.idleTimeout
    }

    private mutating func closeIdle(_ slot: Int) {
        dialling.stopAskingForAnother()
        close(slot)
    }

    /// Once the queue has become full, its length is asked for.
    mutating func scheduleLengthCheck(at now: Instant) {
        if !isQueueFull {
            nextLengthCheck = .never
        } else if nextLengthCheck == .never {
            nextLengthCheck = now + DeliveryPolicy.lengthInterval
        }
    }

    /// While the queue is full nothing is pushed, and so no reply says that it is shorter: asks.
    private mutating func askLength(at now: Instant) {
        guard isQueueFull, nextLengthCheck <= now else { return }
        nextLengthCheck = now + DeliveryPolicy.lengthInterval
        guard let slot = idleLane else { return }
        let queue = policy.queue
        lanes[slot]!.append(.length, at: now) { output in output.append(command: "LLEN", queue) }
    }

    /// While Redis refuses WAIT nothing is pushed: asks whether it still does.
    private mutating func checkWait(at now: Instant) {
        guard nextWaitCheck <= now, breaker.state == .lackingRights, let slot = idleLane else { return }
        nextWaitCheck = now + backoff.jittered(DeliveryPolicy.misconfiguredProbe)
        appendWait(.waitCheck, to: slot, replicas: 0, milliseconds: 0, now)
    }

    private var idleLane: Int? { slots.first { lanes[$0]!.servesQueue && lanes[$0]!.isIdle } }

    /// When something is due next.
    package var wakeAt: Instant {
        var next = min(waiting.deadline, dialling.attempt?.deadline ?? .never)
        for slot in slots { next = min(next, deadline(of: slot)) }
        if wantsToDial { next = min(next, dialling.notBefore) }
        // Without a lane nothing can be placed, and very much may wait.
        if slots.contains(where: { lanes[$0]!.takesPushes }) {
            for item in waiting.items where item.notBefore < next && canPlace(item.push) { next = item.notBefore }
        }
        if isQueueFull { next = min(next, nextLengthCheck) }
        if breaker.state == .lackingRights && idleLane != nil { next = min(next, nextWaitCheck) }
        return next
    }
}
