import Bytes
import RESP
package import System

/// Decides everything about the pushes into one queue: which connection carries them, what their replies mean, when they
/// are tried again, and what their senders are told.
///
/// It does no I/O and knows neither a clock nor a descriptor. Its driver tells it what happens (a push, a connection that
/// is ready or lost, bytes that the kernel took, a reply, the time), carries out the `actions` and takes the `completions`.
/// The same calls with the same seed always come to the same end. Every push that is taken completes exactly once.
package struct PushMachine: ~Copyable {
    let policy: DeliveryPolicy
    package let idempotency: Idempotency
    let command: PushCommand
    var topology: Topology
    /// What is on its way on each connection; nil where there is none.
    var lanes: [Lane?]
    /// The slots that have a lane, in ascending order.
    package private(set) var slots: [Int] = []
    var waiting = WaitingRoom()
    var dialling = Dialling()
    var breaker = Breaker()
    var queueDepth = QueueDepth()
    var backoff: Backoff
    private var nextSequence: UInt64 = 0
    private var wasClosed = true
    /// Why the breaker opens, if it does.
    var breakerCause = BreakerCause.unreachable(DialFailure(cause: .noResources, redirectedTo: nil))
    var hasConnected = false
    /// When a full queue is next asked for its length, and whether Redis has refused to tell.
    var nextLengthCheck = Instant.never
    var isLengthRefused = false
    /// When WAIT is tried again after Redis has refused it.
    var nextWaitCheck = Instant.never
    /// The first word of Redis' last refusal of ASKING.
    var askingRefusal = ""

    /// Pushes that were taken and have no result yet.
    package private(set) var pendingCount = 0
    package private(set) var actions: [DeliveryAction] = []
    package private(set) var completions: [Completion] = []
    package private(set) var events: [DeliveryEvent] = []

    package init(policy: DeliveryPolicy, home: Endpoint, seed: UInt64, at now: Instant) {
        self.policy = policy
        topology = Topology(home: home)
        command = PushCommand(queue: policy.queue)
        idempotency = Idempotency(
            queue: policy.queue, window: policy.window, waitsForReplicas: policy.waitReplicas > 0)
        lanes = Array(repeating: nil, count: policy.maxConnections)
        backoff = Backoff(seed: seed)
        dial(at: now)
    }

    // MARK: Health

    package var breakerState: Breaker.State { breaker.state }
    /// The queue's length, as the last reply gave it.
    package var depth: Int { queueDepth.last }

    /// Whether a push would be sent at once. The breaker's probe counts as one: a caller that pushes only while this is
    /// true would otherwise wait for ever.
    package func isUsable(at now: Instant) -> Bool { hasReadyLane && breaker.wouldAdmit(at: now) }

    /// Bytes of the commands without a reply, and of the pushes that wait.
    package var pendingBytes: Int {
        var bytes = waiting.byteCount
        for slot in slots { bytes += lanes[slot]!.byteCount }
        return bytes
    }

    package var connectionCounts: (ready: Int, busy: Int, connecting: Int) {
        var counts = (ready: 0, busy: 0, connecting: dialling.isUnderWay ? 1 : 0)
        for slot in slots {
            if lanes[slot]!.inFlight.isEmpty { counts.ready += 1 } else { counts.busy += 1 }
        }
        return counts
    }

    var isQueueFull: Bool { policy.maxDepth > 0 && queueDepth.last >= policy.maxDepth }

    /// Seconds after which a sender should try again, at least 1.
    package var retryAfter: Int {
        if isQueueFull { return queueDepth.secondsUntil(policy.maxDepth) }
        return breaker.isClosed ? 1 : 5
    }

    // MARK: Pushing

    /// Takes a job to be pushed; its result comes to `waiter`. A refusal is the result.
    package mutating func push(
        _ job: Span<UInt8>, key: IdempotencyKey?, waiter: UInt64, at now: Instant
    ) -> PushRefusal? {
        guard pendingCount < policy.maxPending, pendingBytes < DeliveryPolicy.pendingBytesLimit else {
            return .overloaded
        }
        if isQueueFull { return .queueFull }
        guard breaker.tryAdmit(at: now) else { return .breakerOpen }
        let key = policy.window > 0 ? key : nil
        let push = Push(
            sequence: nextSequence, waiter: waiter, deadline: now + policy.pushDeadline, isProbe: !breaker.isClosed,
            encoding: key == nil ? .plain : .digest)
        nextSequence += 1
        pendingCount += 1
        if let slot = laneForPush(push) {
            let (command, idempotency) = (command, idempotency)
            lanes[slot]!.append(.push(push), at: now) { output in
                if let key { idempotency.append(job, key, to: &output) } else { command.append(job, to: &output) }
            }
        } else {
            var bytes: [UInt8] = []
            if let key { idempotency.append(job, key, to: &bytes) } else { command.append(job, to: &bytes) }
            waiting.insert(WaitingRoom.Item(push: push, bytes: bytes, notBefore: now))
        }
        return nil
    }

    /// The lane for a push: the first to which the kernel takes more, or else the one with the least to send; nil if it has
    /// to wait. Another connection is wanted where all are busy.
    mutating func laneForPush(_ push: Push) -> Int? {
        var best: Int?
        guard breaker.state != .lackingRights else { return nil }
        for slot in slots where canPlace(push, on: slot) {
            if push.asked != nil || !lanes[slot]!.isBlocked { return slot }
            if best == nil || lanes[slot]!.unsentCount < lanes[best!]!.unsentCount { best = slot }
        }
        if push.asked == nil && (best != nil || hasReadyLane) { dialling.askForAnother() }
        return best
    }

    /// Whether there is a lane for a push.
    func canPlace(_ push: Push) -> Bool {
        guard breaker.state != .lackingRights else { return false }
        return slots.contains { canPlace(push, on: $0) }
    }

    private func canPlace(_ push: Push, on slot: Int) -> Bool {
        guard lanes[slot]!.takesPushes else { return false }
        return push.asked.map { $0 == lanes[slot]!.endpoint } ?? !lanes[slot]!.isForAsked
    }

    /// Gives the pushes that wait, and whose time has come, to a lane.
    mutating func release(at now: Instant) {
        guard !waiting.isEmpty, slots.contains(where: { lanes[$0]!.takesPushes }) else { return }
        var room = waiting
        room.keep { item in
            // What is too late is told so by the next tick. Its sender would send it again.
            guard item.notBefore <= now, item.push.deadline > now, let slot = laneForPush(item.push) else {
                return true
            }
            append(item.push, item.bytes, to: slot, at: now)
            return false
        }
        waiting = room
    }

    /// Appends a push that has been encoded before.
    mutating func append(_ push: Push, _ bytes: [UInt8], to slot: Int, at now: Instant) {
        if push.asked != nil {
            lanes[slot]!.append(.asking, at: now) { output in output.append(command: "ASKING") }
        }
        lanes[slot]!.append(.push(push), at: now) { output in output.append(bytes.span) }
    }

    // MARK: The end of a turn

    /// Ends a turn: each lane with new pushes gets its WAIT, and a connection that is wanted is dialled.
    package mutating func endTurn(at now: Instant) {
        if policy.waitReplicas > 0 {
            for slot in slots where lanes[slot]!.needsWait && lanes[slot]!.isReady {
                appendWait(.wait, to: slot, replicas: policy.waitReplicas, milliseconds: policy.waitMilliseconds, now)
            }
        }
        scheduleLengthCheck(at: now)
        dial(at: now)
        noteBreaker()
    }

    mutating func appendWait(
        _ command: InFlight.Command, to slot: Int, replicas: Int, milliseconds: Int, _ now: Instant
    ) {
        lanes[slot]!.append(command, at: now) { output in
            output.append(command: "WAIT", String(replicas), String(milliseconds))
        }
    }

    /// One event for each change of the breaker between open and closed.
    private mutating func noteBreaker() {
        guard breaker.isClosed != wasClosed else { return }
        wasClosed = breaker.isClosed
        note(wasClosed ? .breakerClosed : .breakerOpened(breakerCause))
    }

    // MARK: Lanes

    mutating func open(_ lane: Lane, in slot: Int) {
        lanes[slot] = lane
        slots = lanes.indices.filter { lanes[$0] != nil }
    }

    /// Closes a connection, and forgets what was on its way there.
    mutating func close(_ slot: Int) {
        lanes[slot] = nil
        slots.removeAll { $0 == slot }
        act(.close(slot: slot))
    }

    // MARK: Results

    mutating func complete(_ push: Push, _ result: PushResult, at now: Instant) {
        pendingCount -= 1
        if push.isProbe, breaker.state == .probing, case .failed = result {
            refusePushes(within: DeliveryPolicy.refusalProbe, at: now)
        }
        completions.append(Completion(waiter: push.waiter, result: result))
    }

    /// Opens the breaker: pushes are refused at once, until one is let through after half to all of `interval`.
    mutating func refusePushes(within interval: Nanoseconds, at now: Instant) {
        breaker.wasRefused(probe: now + backoff.jittered(interval))
    }

    mutating func act(_ action: DeliveryAction) { actions.append(action) }
    mutating func note(_ event: DeliveryEvent) { events.append(event) }

    package mutating func takeActions() -> [DeliveryAction] {
        guard !actions.isEmpty else { return [] }
        defer { actions.removeAll() }
        return actions
    }

    package mutating func takeEvents() -> [DeliveryEvent] {
        guard !events.isEmpty else { return [] }
        defer { events.removeAll() }
        return events
    }

    /// Replaces what `batch` holds by the results since the last call. The two buffers change places.
    package mutating func takeCompletions(into batch: inout [Completion]) {
        batch.removeAll(keepingCapacity: true)
        swap(&batch, &completions)
    }
}
