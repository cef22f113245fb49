import Delivery
import EventLoop
import Redis
import System
import TestSupport

/// One history: a pool, two or three servers, a network, pushes, and faults; afterwards calm, and the books.
final class Schedule {
    private let world: World
    private let policy: DeliveryPolicy
    private let oracle: Oracle
    private let network: SimulatedNetwork
    private let pool: Pool
    private let servers: [SimulatedRedis]
    private let faults: Faults
    private var isTurnDue = false
    private var isClosed = false
    private var turns = 0
    private var deliveries = 0
    private var unconnectedSince = Instant.never

    /// After the last fault has ended, a push succeeds within this time: the slowest probe (3 s), a dial and a look-up that
    /// are under way (1 s each), and the pushes that were left.
    static let recovery = Nanoseconds.seconds(8)
    /// A loop that takes more turns than this in a history goes round without end.
    private static let turnLimit = 20_000

    init(seed: UInt64, _ tls: SimulatedTLS, isTraced: Bool = false) {
        world = World(seed: seed, isTraced: isTraced)
        policy = Schedule.policy(world)
        oracle = Oracle(world, policy: policy)
        let hosts = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        servers = zip(["A", "B", "C"], hosts).map { [world, oracle] name, host in
            SimulatedRedis(world, name: name, host: host, oracle: oracle)
        }
        network = SimulatedNetwork(world, servers: servers)
        network.names["redis.example"] = [0]
        network.latency = world.random.pick([50, 500, 5000])
        let isTLS = world.oneIn(16)
        network.holdsBytes = !isTLS && world.oneIn(4)
        servers[1].isReplica = true
        faults = Faults(world, network)
        if isTLS {
            world.note("over TLS")
            tls.begin(seed: world.random.next())
            network.tlsContext = tls.clientContext()
            for server in servers { server.tls = tls }
            faults.tls = tls
        }
        let isByName = world.oneIn(2)
        let credentials = world.oneIn(3) ? "u:p@" : ""
        let address = try! Address(
            "\(isTLS ? "rediss" : "redis")://\(credentials)\(isByName ? "redis.example" : "10.0.0.1")")
        pool = Pool(to: address, policy: policy, over: network, seed: world.random.next())
        world.note("\(policy)")
        oracle.losses = { [network] in network.losses }
        network.wake = { [unowned self] in wake() }
        faults.isByName = isByName
        faults.push = { [unowned self] in push(isNamed: true) }
        wake()
    }

    private static func policy(_ world: World) -> DeliveryPolicy {
        var policy = DeliveryPolicy(queue: "q")
        policy.maxConnections = world.random.pick([1, 1, 2, 3, 10])
        policy.attempts = 1 + world.below(4)
        policy.connectTimeout = world.milliseconds(50...1000)
        policy.replyTimeout = world.milliseconds(50...1500)
        policy.retryDelay = world.milliseconds(1...500)
        policy.pushDeadline = world.milliseconds(100...4000)
        policy.idleTimeout = world.milliseconds(20...2000)
        policy.window = world.oneIn(8) ? 0 : 60
        if world.oneIn(4) { policy.maxPending = 1 + world.below(8) }
        if world.oneIn(5) { policy.maxDepth = 1 + world.below(10) }
        if world.oneIn(4) {
            policy.waitReplicas = 1 + world.below(2)
            policy.waitMilliseconds = 20
        }
        return policy
    }

    // MARK: The loop

    /// The pool has something to do: a turn follows soon, and takes all that has come until then.
    private func wake() {
        guard !isTurnDue, !isClosed else { return }
        isTurnDue = true
        world.after(world.microseconds(1...50)) { [unowned self] in
            isTurnDue = false
            if !isClosed { turn() }
        }
    }

    private func turn() {
        turns += 1
        // As epoll does: all events of a turn are known before the first is handled.
        let events = network.links.map { ($0.token, $0.readiness) }.filter { !$0.1.isEmpty }
        for (token, readiness) in events { pool.event(token, readiness) }
        for token in network.takeEndedLookUps() { pool.lookUpEvent(token) }
        for _ in network.takeDueTimers() { pool.timerFired() }
        endTurn()
        network.removeDead()
        if network.links.contains(where: { !$0.readiness.isEmpty }) { wake() }
    }

    private func endTurn() {
        pool.flush()
        pool.takeCompletions { oracle.completed($0) }
        for event in pool.takeEvents() { world.note("log: \(event)") }
        let counts = pool.connectionCounts
        if counts.ready + counts.busy > 0 {
            unconnectedSince = .never
        } else if unconnectedSince == .never {
            unconnectedSince = world.now
        }
        if counts.ready + counts.busy + counts.connecting > policy.maxConnections {
            oracle.fail("too many connections: \(counts)")
        }
    }

    // MARK: Pushes

    private func push(isNamed: Bool) {
        let number = oracle.nextNumber
        var delivery: Int?
        if isNamed && policy.window > 0 {
            // A sender sends some deliveries again.
            if deliveries == 0 || world.below(3) > 0 { deliveries += 1 }
            delivery = world.oneIn(3) ? world.below(deliveries) : deliveries - 1
        }
        let padding = world.oneIn(6) ? 200 + world.below(3000) : world.below(40)
        let job = Job.bytes(number, padding: padding)
        let key = delivery.map {
            IdempotencyKey(key: Array("{q}:seen:\($0)".utf8), value: Array("\(number):".utf8))
        }
        if let refusal = pool.push(job.span, key: key, waiter: UInt64(number)) {
            world.note("a push is refused: \(refusal)")
        } else {
            expectReachable()
            world.note("\(number) is pushed\(delivery.map { " as delivery \($0)" } ?? "")")
            oracle.took(delivery: delivery)
        }
        wake()
    }

    /// After as many attempts as are allowed the breaker is open, and pushes are refused at once.
    private func expectReachable() {
        let attempt = 2 * policy.connectTimeout.count + policy.retryDelay.count
        let limit = unconnectedSince + Nanoseconds(UInt64(policy.attempts) * attempt + 500_000_000)
        if world.now > limit { oracle.fail("a push is taken long after the last connection was lost") }
    }

    // MARK: A history

    /// Plays it. Returns what was broken, a line each.
    func play() -> [String] {
        let span = world.milliseconds(50...6000)
        let end = world.now + span
        let within = { [world] in world.now + Nanoseconds(world.random.next() % span.count) }
        for _ in 0..<(1 + world.below(12)) {
            let count = world.oneIn(3) ? 1 + world.below(8) : 1
            world.at(within()) { [unowned self] in
                for _ in 0..<count { push(isNamed: world.oneIn(2)) }
            }
        }
        for _ in 0..<world.below(5) {
            world.at(within()) { [unowned self] in faults.strike(until: end) }
        }
        for _ in 0..<8 {
            world.at(within()) { [unowned self] in faults.keepHouse() }
        }
        run(until: end)
        faults.calm()
        expectRecovery()
        run(until: world.now + Nanoseconds(policy.replyTimeout.count + policy.pushDeadline.count + 200_000_000))
        for _ in 0..<40 where pool.pendingBytes > 0 { run(until: world.now + .milliseconds(100)) }
        oracle.expectZero(pool.pendingCount, "pending pushes")
        oracle.expectZero(pool.pendingBytes, "pending bytes")
        oracle.close(servers)
        pool.close()
        isClosed = true
        run(until: world.now + .milliseconds(50))
        oracle.expectZero(network.links.count { !$0.isDead && !$0.isHalfOpen }, "open connections")
        world.end()
        return oracle.violations
    }

    private func run(until limit: Instant) {
        while oracle.violations.isEmpty, world.step(until: limit) {
            if turns > Schedule.turnLimit { oracle.fail("\(turns) turns: the loop goes round without end") }
        }
    }

    /// Pushes until one succeeds.
    private func expectRecovery() {
        let limit = world.now + Schedule.recovery
        while oracle.violations.isEmpty && world.now < limit {
            faults.drain()
            let known = oracle.results["queued", default: 0]
            push(isNamed: false)
            run(until: world.now + .milliseconds(150))
            if oracle.results["queued", default: 0] > known { return }
        }
        if oracle.violations.isEmpty { oracle.fail("no push succeeded within \(Schedule.recovery.seconds) s of calm") }
    }

    var trace: [String] { world.trace ?? [] }
    var results: [String: Int] { oracle.results }
}
