import Bytes
package import EventLoop
import RESP
package import System

/// A few pipelined connections to one Redis, and the pushes that are under way.
///
/// Whoever drives it pushes, `flush()`es once at the end of a turn, passes events and timers on, and takes the
/// `completions`. Nothing here blocks. Every push that is taken completes exactly once.
package final class Pool {
    package struct Settings {
        package var address: Address
        package var queue = "enhancement:queue"
        /// Connections, at most; another is opened only while those that there are cannot take more.
        package var maxConnections = 10
        /// From connect(2) to the end of the greeting; of a look-up before it too.
        package var connectTimeout = Nanoseconds.seconds(5)
        /// From a command to its reply.
        package var replyTimeout = Nanoseconds.seconds(5)
        /// Connection failures that a push survives, less one.
        package var attempts = 3
        package var retryDelay = Nanoseconds.seconds(1)
        /// How long a connection that is not the first may lie idle.
        package var idleTimeout = Nanoseconds.seconds(60)
        /// From `push` to a result, whatever happens.
        package var pushDeadline = Nanoseconds.seconds(8)
        /// Pushes under way, at most.
        package var maxPending = 4096
        /// Seconds for which a named delivery is remembered; 0: none is.
        package var window = 86_400
        /// Jobs in the queue, at most; 0: no limit.
        package var maxDepth = 0
        /// Replicas that must have a job before it counts as queued, and milliseconds that they have; 0: none.
        package var waitReplicas = 0
        package var waitMilliseconds = 0

        package init(address: Address) { self.address = address }
    }

    /// Bytes of commands under way, at most: memory must not depend on how long tickets are.
    package static let pendingBytesLimit = 33_554_432

    let loop: EventLoop
    let settings: Settings
    let command: PushCommand
    let timerToken = Token(.redisPool)
    var connections: [Connection?]
    var generations: [UInt16]
    /// Pushes that no connection has: none is ready, or their time has not come again.
    var waiting: [Waiting] = []
    var dialler: Dialler
    var breaker = Breaker()
    var wasClosed = true
    var hasConnected = false
    var queueDepth = QueueDepth()
    var nextDepthCheck = Instant.never
    var poolTimer = Deadline()
    var backoff = Backoff()
    var pendingBytes = 0

    /// Results since the last `takeCompletions`.
    var completed: [Completion] = []
    package var events: [PoolEvent] = []
    /// Pushes that were taken and have no result yet.
    package internal(set) var pendingCount = 0

    package struct Completion {
        package let waiter: UInt64
        package let result: PushResult
    }

    struct Waiting {
        var pending: Pending
        var bytes: [UInt8]
        var notBefore: Instant
    }

    package init(
        settings: Settings, in loop: EventLoop, lookUp: @escaping Resolver.LookUp = Resolver.system
    ) throws(SystemError) {
        self.loop = loop
        self.settings = settings
        command = PushCommand(queue: settings.queue, window: settings.window, waits: settings.waitReplicas > 0)
        connections = Array(repeating: nil, count: settings.maxConnections)
        generations = Array(repeating: 0, count: settings.maxConnections)
        dialler = try Dialler(address: settings.address, lookUp: lookUp)
        try loop.watch(dialler.resolver.number, for: .readable, as: Token(.resolver))
        dial()
        reschedule()
    }

    // MARK: What it is like

    /// Whether a push would be sent at once. The breaker's probe counts as one: a caller that pushes only while this is
    /// true would otherwise wait for ever.
    package var isUsable: Bool { readyConnection() != nil && breaker.wouldAdmit(at: loop.now) }
    package var breakerState: Breaker.State { breaker.state }
    /// The queue's length, as the last reply told it.
    package var depth: Int { queueDepth.last }

    package var connectionCounts: (ready: Int, busy: Int, connecting: Int) {
        var counts = (ready: 0, busy: 0, connecting: 0)
        for case let connection? in connections {
            if !connection.isGreeted {
                counts.connecting += 1
            } else if connection.pending.isEmpty {
                counts.ready += 1
            } else {
                counts.busy += 1
            }
        }
        return counts
    }

    var isQueueFull: Bool { settings.maxDepth > 0 && queueDepth.last >= settings.maxDepth }

    /// Seconds after which a sender should try again, at least 1.
    package var retryAfter: Int {
        if isQueueFull {
            return queueDepth.secondsUntil(settings.maxDepth)
        }
        return breaker.isClosed ? 1 : 5
    }

    // MARK: Pushing

    /// Takes a job to be pushed; its result comes to `waiter`. A refusal is the result.
    package func push(_ job: Span<UInt8>, mark: Mark?, waiter: UInt64) -> PushRefusal? {
        guard pendingCount < settings.maxPending, pendingBytes < Pool.pendingBytesLimit else { return .overloaded }
        if isQueueFull { return .queueFull }
        guard breaker.admits(at: loop.now) else { return .breakerOpen }
        let mark = settings.window > 0 ? mark : nil
        var pending = Pending(
            kind: mark == nil ? .push : .marked, waiter: waiter, length: job.count,
            deadline: loop.now + settings.pushDeadline)
        pending.isProbe = !breaker.isClosed
        pendingCount += 1
        if let connection = connectionForPush() {
            append(pending, to: connection) { output in write(job, mark, to: &output) }
        } else {
            var bytes: [UInt8] = []
            write(job, mark, to: &bytes)
            pendingBytes += bytes.count
            waiting.append(Waiting(pending: pending, bytes: bytes, notBefore: loop.now))
        }
        return nil
    }

    private func write(_ job: Span<UInt8>, _ mark: Mark?, to output: inout [UInt8]) {
        if let mark {
            command.append(job, marked: mark, to: &output)
        } else {
            command.append(job, to: &output)
        }
    }

    func append(_ pending: Pending, to connection: Connection, _ write: (inout [UInt8]) -> Void) {
        if connection.asks && (pending.isPush || pending.kind == .length) {
            let asking = Pending(kind: .asking, waiter: nil, length: 0, deadline: .never)
            append(asking, to: connection) { output in output.append(command: "ASKING") }
        }
        connection.append(pending, now: loop.now, write)
        let appended = connection.pending[connection.pending.count - 1]
        pendingBytes += appended.length
        if appended.isPush { connection.needsWait = true }
    }

    /// The first connection that is ready and can take more; else one that is ready, and another is dialled.
    private func connectionForPush() -> Connection? {
        var best: Connection?
        for case let connection? in connections where connection.state == .ready {
            if !connection.isLoaded { return connection }
            if best == nil || connection.unsent < best!.unsent { best = connection }
        }
        if best != nil { dialler.wantsAnother = true }
        return best
    }

    func readyConnection() -> Connection? {
        for case let connection? in connections where connection.state == .ready { return connection }
        return nil
    }

    /// Gives the pushes that wait, and whose time has come, to a connection.
    func release() {
        guard !waiting.isEmpty, readyConnection() != nil else { return }
        var kept: [Waiting] = []
        for item in waiting {
            guard item.notBefore <= loop.now, let connection = connectionForPush() else {
                kept.append(item)
                continue
            }
            pendingBytes -= item.bytes.count
            append(item.pending, to: connection) { output in output.append(item.bytes.span) }
        }
        waiting = kept
    }

    // MARK: The end of a turn

    /// One write for each connection that has something to send.
    package func flush() {
        for case let connection? in connections where connection.state == .ready {
            if connection.needsWait && settings.waitReplicas > 0 { appendWait(to: connection) }
            send(connection)
        }
        if dialler.wantsAnother { dial() }
        reschedule()
        noteBreaker()
    }

    private func appendWait(to connection: Connection) {
        let wait = Pending(kind: .wait, waiter: nil, length: 0, deadline: .never)
        append(wait, to: connection) { output in
            output.append(command: "WAIT", String(settings.waitReplicas), String(settings.waitMilliseconds))
        }
        connection.needsWait = false
        connection.waits += 1
    }

    func send(_ connection: Connection) {
        let wasBlocked = connection.isBlocked
        guard connection.flush() else { return abandon(connection, "the connection broke while sending") }
        if connection.isBlocked != wasBlocked { watch(connection) }
        if connection.state == .ready { setDeadline(of: connection) }
    }

    /// Watches a connection for replies, and for room where it is blocked.
    func watch(_ connection: Connection) {
        let readiness: Readiness = connection.isBlocked ? [.readable, .writable] : .readable
        try? loop.rewatch(connection.descriptor.number, for: readiness, as: connection.token)
    }

    /// Results since the last call, each once.
    package func takeCompletions(_ body: (Completion) -> Void) {
        var index = 0
        while index < completed.count {
            body(completed[index])
            index += 1
        }
        completed.removeAll(keepingCapacity: true)
    }

    func complete(_ pending: inout Pending, _ result: PushResult) {
        guard let waiter = pending.waiter else { return }
        pending.waiter = nil
        pendingCount -= 1
        if pending.isProbe, breaker.state == .probing, case .failed = result { wasRefused(within: Pool.refusalProbe) }
        completed.append(Completion(waiter: waiter, result: pending.outcome(result)))
    }

    /// One event for each change of the breaker between open and closed.
    private func noteBreaker() {
        guard breaker.isClosed != wasClosed else { return }
        wasClosed = breaker.isClosed
        events.append(wasClosed ? .breakerClosed : .breakerOpened(reason: dialler.lastFailure))
    }

    /// Closes everything. What was not answered is lost to whoever waits for it.
    package func close() {
        for index in connections.indices { connections[index] = nil }
    }
}
