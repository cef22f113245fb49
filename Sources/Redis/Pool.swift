package import Delivery
package import EventLoop
import RESP
package import System

/// The connections to Redis, and the push machine that decides what they carry.
///
/// Its user pushes, ends the turn with `flush()`, passes events and timers on, and takes the completions. Nothing here
/// blocks. Every push that is taken completes exactly once.
package final class Pool {
    private(set) var machine: PushMachine
    private let network: any Network
    private let timerToken = Token(.redisPool)
    private var timer = Deadline()
    private var nodes: NodeTable
    private var connections: [(connection: Connection, node: Node)?]
    private var generations: [UInt16]
    /// The dial that waits for a look-up.
    private var awaitingLookUp: (slot: Int, node: Node)?
    /// A buffer for the next batch of results.
    private var spareBatch: [Completion] = []

    /// - Parameter seed: of the random delays.
    package init(
        to address: Address, policy: DeliveryPolicy, over network: any Network,
        seed: UInt64 = UInt64.random(in: 0...UInt64.max)
    ) {
        self.network = network
        machine = PushMachine(policy: policy, home: address.endpoint, seed: seed, at: network.now)
        nodes = NodeTable(home: address, network: network)
        connections = Array(repeating: nil, count: policy.maxConnections)
        generations = Array(repeating: 0, count: policy.maxConnections)
        act()
        reschedule()
    }

    // MARK: Health

    /// Whether a push would be sent at once.
    package var isUsable: Bool { machine.isUsable(at: network.now) }
    package var breakerState: Breaker.State { machine.breakerState }
    /// The queue's length, as the last reply gave it.
    package var depth: Int { machine.depth }
    /// Seconds after which a sender should try again, at least 1.
    package var retryAfter: Int { machine.retryAfter }
    /// Pushes without a result.
    package var pendingCount: Int { machine.pendingCount }
    /// Bytes of the commands without a reply, and of the pushes that wait.
    package var pendingBytes: Int { machine.pendingBytes }
    package var connectionCounts: (ready: Int, busy: Int, connecting: Int) { machine.connectionCounts }

    // MARK: Pushing

    /// Takes a job to be pushed; its result comes to `waiter`. A refusal is the result.
    package func push(_ job: Span<UInt8>, key: IdempotencyKey?, waiter: UInt64) -> PushRefusal? {
        machine.push(job, key: key, waiter: waiter, at: network.now)
    }

    /// The idempotency key of a named delivery, and the value that the job would leave in it.
    package func key(
        tenantID: [UInt8], deliveryID: [UInt8], isSigned: Bool = false, jobID: [UInt8], digest: Span<UInt8>
    ) -> IdempotencyKey {
        machine.idempotency.key(
            tenantID: tenantID, deliveryID: deliveryID, isSigned: isSigned, jobID: jobID, digest: digest)
    }

    /// Ends a turn: one write for each connection that has something to send.
    package func flush() {
        machine.endTurn(at: network.now)
        act()
        // A connection that breaks over sending may give its pushes to one that has had its turn.
        repeat {
            for slot in machine.slots { send(on: slot) }
            act()
        } while machine.hasSendable
        reschedule()
    }

    /// Hands out the results since the last call, each once.
    package func takeCompletions(_ body: (Completion) -> Void) {
        var batch: [Completion] = []
        swap(&batch, &spareBatch)
        machine.takeCompletions(into: &batch)
        // Its receiver may push, or ask how the pool is.
        for completion in batch { body(completion) }
        spareBatch = batch
    }

    package func takeEvents() -> [DeliveryEvent] { machine.takeEvents() }

    /// New connections use another password. Those that there are stay.
    package func setPassword(_ password: String) { nodes.setPassword(password) }

    /// Closes everything. What was not answered is lost to its sender.
    package func close() {
        machine.close()
        act()
    }

    // MARK: Events

    /// On a connection's descriptor.
    package func event(_ token: Token, _ readiness: Readiness) {
        let slot = Int(token.slot)
        guard slot < connections.count, generations[slot] == token.generation,
            let connection = connections[slot]?.connection
        else { return }
        if connection.isReady && readiness.contains(.writable) { send(on: slot) }
        proceed(connection.advance(readiness), connection, slot)
        act()
    }

    /// On a look-up's descriptor.
    package func lookUpEvent(_ token: Token) {
        guard let node = nodes.node(lookingUpAs: token), node.finishLookUp() else { return }
        guard let (slot, waiting) = awaitingLookUp, waiting === node else { return }
        awaitingLookUp = nil
        if node.hasMoreAddresses {
            machine.lookUpEnded(at: network.now)
            dial(slot, node)
        } else {
            machine.dialFailed(.unresolved(node.address.endpoint), hasMoreAddresses: false, at: network.now)
        }
        act()
    }

    /// On the pool's timer.
    package func timerFired() {
        guard timer.hasPassed(in: network, for: timerToken) else { return }
        machine.tick(at: network.now)
        act()
        flush()
    }

    private func reschedule() {
        let next = machine.wakeAt
        if next == .never { timer.clear() } else { timer.set(next, in: network, for: timerToken) }
    }

    // MARK: Connections

    /// Sends what the machine has for a connection.
    private func send(on slot: Int) {
        guard let connection = connections[slot]?.connection, connection.isReady else { return }
        if machine.hasUnsent(slot) || connection.holdsOutput {
            guard let count = machine.withUnsent(on: slot, { connection.send($0) }) else {
                // What it held before may have reached the kernel all the same.
                machine.sent(0, delivered: connection.delivered, on: slot)
                return lose(connection, slot, connection.sendFailure)
            }
            machine.sent(count, delivered: connection.delivered, on: slot)
        }
        let wantsRoom = machine.isBlocked(slot) || connection.holdsOutput
        if let failure = connection.watch(wantsRoom: wantsRoom) { lose(connection, slot, failure) }
    }

    /// Goes on after an event of a connection.
    private func proceed(_ progress: Connection.Progress, _ connection: Connection, _ slot: Int) {
        switch progress {
        case .nothing: break
        case .received:
            takeReplies(connection, slot)
            // A transport may hold more than the loop knows of.
            while !connection.isClosed, connection.hasBufferedInput, receive(connection, slot) {}
        case .failed(let failure): fail(connection, slot, failure)
        }
    }

    /// Receives once. Returns whether there was anything.
    private func receive(_ connection: Connection, _ slot: Int) -> Bool {
        switch connection.receive() {
        case .received:
            takeReplies(connection, slot)
            return !connection.isClosed
        case .nothing: return false
        case .failed(let failure):
            fail(connection, slot, failure)
            return false
        }
    }

    private func takeReplies(_ connection: Connection, _ slot: Int) {
        do throws(ReplyFault) {
            while !connection.isClosed, let reply = try connection.nextReply() { take(reply, connection, slot) }
        } catch {
            return fail(connection, slot, .invalidRESP(error))
        }
        // A reply may have closed it: the machine then ignores those after it.
        guard !connection.isClosed else { return }
        guard connection.discardReplies() else { return fail(connection, slot, .replyTooLong) }
        if connection.isReady { machine.repliesEnded(on: slot, at: network.now) }
        act()
    }

    private func take(_ reply: Reply, _ connection: Connection, _ slot: Int) {
        guard !connection.isReady else { return machine.reply(reply, on: slot, at: network.now) }
        if let objection = connection.takeGreeting(reply) { return fail(connection, slot, objection) }
        guard connection.isReady else { return }
        connections[slot]?.node.succeeded()
        machine.connected(at: network.now)
    }

    /// A connection that cannot be written to: what Redis had answered before is read first.
    private func lose(_ connection: Connection, _ slot: Int, _ failure: ConnectionFailure) {
        while receive(connection, slot) {}
        guard !connection.isClosed else { return }
        fail(connection, slot, failure)
    }

    /// Ends a connection that has failed.
    private func fail(_ connection: Connection, _ slot: Int, _ failure: ConnectionFailure) {
        guard !connection.isClosed else { return }
        guard !connection.isReady else {
            machine.lose(slot, failure, at: network.now)
            return act()
        }
        dialFailed(connection, slot, failure)
    }

    private func dialFailed(_ connection: Connection, _ slot: Int, _ failure: ConnectionFailure) {
        guard let node = connections[slot]?.node else { return }
        if connection.mayHaveWrongGreeting, failure.isHangUp { node.hungUpOnGreeting() }
        // Nobody is at this address: the name's next one may do.
        let hasMore = if case .connecting = connection.state { node.hasMoreAddresses } else { false }
        close(slot)
        machine.dialFailed(failure, hasMoreAddresses: hasMore, at: network.now)
        act()
    }

    // MARK: Actions

    /// Carries out what the machine wants done.
    private func act() {
        for action in machine.takeActions() {
            switch action {
            case .dial(let slot, let endpoint):
                let inUse = connections.compactMap { $0?.node }
                dial(slot, nodes.node(for: endpoint, inUse: inUse))
            case .giveUpDial(let slot): giveUpDial(slot)
            case .close(let slot): close(slot)
            case .forgetAddresses(let endpoint): nodes.forgetAddresses(of: endpoint)
            }
        }
    }

    private func dial(_ slot: Int, _ node: Node) {
        switch node.target() {
        case .pending: awaitingLookUp = (slot, node)
        case .failed(let failure): machine.dialFailed(failure, hasMoreAddresses: false, at: network.now)
        case .address(let target):
            let token = Token(.redisConnection, slot: slot, generation: generations[slot])
            do throws(SystemError) {
                let transport = try network.connect(to: target, as: token, tls: node.address.tlsServer)
                connections[slot] = (
                    Connection(transport, token: token, address: node.address, namesItself: node.takesName), node
                )
            } catch {
                machine.dialFailed(.system("\(error)"), hasMoreAddresses: node.hasMoreAddresses, at: network.now)
            }
        }
    }

    private func giveUpDial(_ slot: Int) {
        if let (_, node) = awaitingLookUp {
            awaitingLookUp = nil
            // The look-up cannot be called off; the next dial waits for it again.
            machine.dialFailed(.lookUpTimedOut(node.address.endpoint), hasMoreAddresses: false, at: network.now)
        } else if let connection = connections[slot]?.connection {
            dialFailed(connection, slot, connection.timeout)
        }
    }

    private func close(_ slot: Int) {
        if let (waiting, _) = awaitingLookUp, waiting == slot { awaitingLookUp = nil }
        guard let (connection, _) = connections[slot] else { return }
        connection.close()
        connections[slot] = nil
        generations[slot] &+= 1
    }
}

extension ConnectionFailure {
    /// The server has closed the connection, or broken it.
    fileprivate var isHangUp: Bool {
        switch self {
        case .closedByRedis, .closedUnanswered, .receive, .send: true
        default: false
        }
    }
}
