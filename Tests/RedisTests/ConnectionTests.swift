import EventLoop
import Glibc
import Synchronization
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// A network that only looks names up.
private final class StubNetwork: Network, LookUp {
    private let addresses: [SocketAddress]
    private(set) var lookUps = 0

    init(_ addresses: [SocketAddress]) { self.addresses = addresses }

    let now = Instant(nanoseconds: 1)
    func schedule(_ deadline: Instant, _ token: Token) {}
    func connect(to address: SocketAddress, as token: Token, tls: TLSServer?) throws(SystemError) -> any Transport {
        throw SystemError("connect", ECONNREFUSED)
    }
    func lookUp(host: String, port: UInt16, as token: Token) -> any LookUp {
        lookUps += 1
        return self
    }
    func finish() -> [SocketAddress]? { addresses }
}

/// How many connections there are, and to where.
struct ConnectionTests {
    private let big = String(repeating: "z", count: 60_000)

    /// A bench whose first connection takes no more.
    private func clogged(_ change: (inout DeliveryPolicy) -> Void = { _ in }) throws -> (Bench, Session) {
        let bench = try Bench(nil, change)
        let session = try bench.connect()
        session.isReading = false
        for _ in 1...12 { bench.push(big) }
        bench.turn()
        #expect(bench.pool.machine.lanes[0]?.isBlocked == true)
        return (bench, session)
    }

    @Test func `one connection is enough for many pushes`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        for _ in 1...3000 { bench.push() }
        _ = try bench.commands(3000, of: session)
        try bench.linger()
        #expect(bench.redis.sessions.count == 1)
        #expect(bench.pool.connectionCounts == (ready: 0, busy: 1, connecting: 0))
    }

    @Test func `a second connection is opened once a push finds the first full`() throws {
        let (bench, first) = try clogged()
        try bench.linger(milliseconds: 20)
        #expect(bench.redis.sessions.count == 1, "none before a push needs it")
        bench.push("waits behind the first")
        let second = try bench.connect()
        let waiter = try bench.pushed("goes to the second", on: second)
        second.send(":9\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 9))
        first.isReading = true
        #expect(try bench.commands(13, of: first).last?[2] == "waits behind the first")
        first.send(String(repeating: ":1\r\n", count: 13))
        try bench.run { bench.results.count == 14 }
        _ = try bench.pushed("the first is preferred", on: first)
    }

    @Test func `there are never more connections than allowed`() throws {
        let (bench, _) = try clogged { $0.maxConnections = 3 }
        for number in 2...3 {
            bench.push("one more")
            let session = try bench.connect()
            session.isReading = false
            // Enough for all of them, wherever each goes.
            for _ in 1...30 { bench.push(big) }
            try bench.run { bench.pool.machine.lanes.count { $0?.isBlocked == true } == number }
        }
        for _ in 1...20 { bench.push("x") }
        try bench.linger()
        #expect(bench.redis.sessions.count == 3)
        #expect(bench.pool.connectionCounts == (ready: 0, busy: 3, connecting: 0))
    }

    @Test func `a second connection that cannot be made changes nothing`() throws {
        let (bench, first) = try clogged { $0.attempts = 1 }
        bench.redis.stop()
        bench.push("x")
        try bench.linger()
        #expect(bench.dialFailures.isEmpty && bench.pool.breakerState == .closed, "\(bench.events)")
        first.isReading = true
        _ = try bench.commands(13, of: first)
    }

    @Test func `an idle connection is closed unless it is the first`() throws {
        let (bench, first) = try clogged { $0.idleTimeout = .milliseconds(60) }
        bench.push("x")
        let second = try bench.connect()
        let start = Instant.now
        first.isReading = true
        _ = try bench.commands(13, of: first)
        first.send(String(repeating: ":1\r\n", count: 13))
        try bench.run { second.isAbandoned }
        #expect(Instant.now.since(start) >= 45_000_000)
        #expect(bench.pool.connectionCounts == (ready: 1, busy: 0, connecting: 0))
        try bench.linger(milliseconds: 150)
        #expect(!first.isAbandoned && bench.redis.sessions.count == 2)
        #expect(bench.lossReasons.isEmpty)
    }

    @Test func `only one connection is dialled at a time`() throws {
        let bench = try Bench { $0.pushDeadline = .milliseconds(20) }
        // Each deadline is an occasion to look whether to dial.
        for _ in 1...5 {
            bench.push()
            try bench.linger(milliseconds: 5)
        }
        try bench.run { bench.results.count == 5 }
        #expect(bench.redis.sessions.count == 1)
        #expect(bench.pool.connectionCounts == (ready: 0, busy: 0, connecting: 1))
    }

    @Test func `a connection is closed before another takes its place`() throws {
        let bench = try Bench { $0.maxConnections = 1 }
        let first = try bench.connect()
        _ = try bench.pushed(on: first)
        try bench.linger(milliseconds: 20)
        // The last dial was long enough ago: the pool closes the connection itself, and dials in the same turn.
        first.send("garbage\r\n")
        bench.turn()
        #expect(bench.pool.connectionCounts.connecting == 1)
        try bench.redis.poll()
        #expect(bench.redis.sessions.count == 2 && bench.redis.openCount == 1)
    }

    @Test func `a name is looked up off the loop`() throws {
        let redis = try ScriptedRedis(.loopback)
        let bench = try Bench(redis, url: "redis://localhost:\(redis.port)")
        #expect(bench.redis.sessions.isEmpty && bench.pool.connectionCounts.connecting == 1)
        let waiter = bench.push("early")
        // Its other address, ::1, may come first, and is refused.
        let session = try bench.connect()
        #expect(try bench.commands(1, of: session)[0][2] == "early")
        session.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func `a name without an address is a failure to connect`() throws {
        // No label has more than 63 bytes: this needs no server to be told.
        let bench = try Bench(url: "redis://\(String(repeating: "x", count: 64)).invalid:6379")
        let waiter = bench.push()
        #expect(try bench.await(waiter) == .failed(.notConnected))
        #expect(bench.dialFailures.count == 1 && bench.dialFailures[0].hasSuffix("cannot be resolved"))
        #expect(bench.pool.breakerState == .unreachable)
    }

    @Test func `a look-up that hangs fails every attempt until it ends`() throws {
        let redis = try ScriptedRedis(.loopback)
        let ends = Atomic(false)
        let bench = try Bench(redis, url: "redis://redis.example") { settings in
            settings.connectTimeout = .milliseconds(50)
        } lookUp: { [port = redis.port] _, _ in
            while !ends.load(ordering: .relaxed) { usleep(1000) }
            return SocketAddress.resolve(host: "127.0.0.1", port: port, isNumeric: true)
        }
        let (waiter, start) = (bench.push(), Instant.now)
        try bench.run { bench.pool.breakerState == .unreachable }
        #expect(Instant.now.since(start) >= 130_000_000, "three attempts of 50 ms")
        #expect(bench.result(of: waiter) == .failed(.notConnected) && bench.tryPush() == .breakerOpen)
        #expect(bench.dialFailures == ["the host of redis.example:6379 was not resolved in time"])
        ends.store(true, ordering: .relaxed)
        try bench.connect()
        #expect(bench.pool.isUsable)
    }

    @Test(arguments: [false, true])
    func `only an address where nobody listens costs no attempt`(isThere: Bool) throws {
        let redis = try ScriptedRedis(.loopback)
        let deserted = try ScriptedRedis(.loopback)
        deserted.stop()
        let ports = [redis.port, isThere ? redis.port : deserted.port, isThere ? redis.port : deserted.port]
        redis.answer = { _, _ in "-NOAUTH who\r\n" }
        let bench = try Bench(redis, url: "redis://redis.example") {
            $0.attempts = 2
            $0.retryDelay = .milliseconds(40)
        } lookUp: { _, _ in
            ports.flatMap { SocketAddress.resolve(host: "127.0.0.1", port: $0, isNumeric: true) }
        }
        try bench.run { bench.pool.breakerState == .unreachable }
        #expect(bench.dialFailures[0].contains("NOAUTH"))
        // Where somebody listens each refusal counts. Otherwise both deserted addresses, and another look-up, come first.
        #expect(redis.sessions.count == (isThere ? 2 : 1))
    }

    @Test func `a second connection goes to the address of the first`() throws {
        let addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].flatMap {
            SocketAddress.resolve(host: $0, port: 6379, isNumeric: true)
        }
        let network = StubNetwork(addresses)
        let node = Node(
            try Address("redis://redis.example:6379"), network: network, lookUpToken: Token(.resolver, slot: 1))
        /// Which of the addresses is tried next.
        func next() -> Int? {
            guard case .address(let address) = node.target() else { return nil }
            return addresses.firstIndex(of: address)
        }
        #expect(next() == nil && node.isLookingUp)
        let isFound = node.finishLookUp()
        #expect(isFound && next() == 0)
        #expect(next() == 1, "the first was refused")
        node.succeeded()
        #expect(next() == 1)
        node.succeeded()
        #expect(next() == 1)
        node.forgetAddresses()
        #expect(next() == nil && node.isLookingUp && network.lookUps == 2)
    }

    @Test func `closing the pool closes every connection`() throws {
        let (bench, first) = try clogged()
        bench.push("x")
        let second = try bench.connect()
        bench.pool.close()
        try bench.redis.poll()
        #expect(first.isAbandoned && second.isAbandoned)
        bench.turn()
    }
}
