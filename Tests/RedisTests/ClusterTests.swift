import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Nodes of a cluster that send pushes on to the one that has the queue, for good: MOVED.
struct ClusterTests {
    @Test func `MOVED is followed and remembered`() throws {
        let (bench, owner) = try Bench.cluster()
        let session = try bench.connect()
        let jobs = (1...6).map { "job \($0)" }
        let waiters = jobs.map { bench.push($0, key: $0 == "job 2" ? named("d") : nil) }
        _ = try bench.commands(6, of: session)
        session.send(String(repeating: moved(to: owner), count: 6))
        let other = try bench.connect(to: owner)
        let repeated = try bench.commands(6, of: other)
        #expect(repeated.map { $0.first { jobs.contains($0) } } == jobs, "in their order")
        #expect(repeated[1][0] == "EVALSHA")
        other.send((1...6).map { ":\($0)\r\n" }.joined())
        #expect(try waiters.map { try bench.await($0) } == (1...6).map { .queued(depth: $0) })
        #expect(bench.redirections == ["127.0.0.1:\(owner.port)"] && bench.breakerChanges.isEmpty)
        let next = try bench.pushed("next", on: other)
        other.send(":7\r\n")
        #expect(try bench.await(next) == .queued(depth: 7))
        #expect(bench.redis.sessions.count == 1, "nobody asks the first node again")
        // The owner goes: whoever was set knows the new one.
        other.close()
        try bench.connect()
        #expect(owner.sessions.count == 1)
    }

    @Test func `an owner that has become a replica is forgotten`() throws {
        let (bench, owner) = try Bench.cluster()
        let (waiter, other) = try bench.redirected(to: owner, by: moved(to: owner))
        other.send("-READONLY You can't write against a read only replica.\r\n")
        let again = try bench.connect()
        #expect(owner.sessions.count == 1)
        #expect(try bench.commands(1, of: again)[0].contains("job"))
        again.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func `an owner that cannot be reached is forgotten`() throws {
        let (bench, owner) = try Bench.cluster { $0.attempts = 5 }
        owner.stop()
        let session = try bench.connect()
        let waiter = try bench.pushed("a", on: session)
        session.send(moved(to: owner))
        // And what was sent to it can be sent on again, even to the node that says so.
        let again = try bench.connect()
        #expect(try bench.commands(1, of: again)[0].contains("a"))
        again.send(moved(to: bench.redis))
        #expect(try bench.commands(1, of: again)[0].contains("a"))
        again.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func `every address of the owner's name is tried`() throws {
        let owner = try ScriptedRedis(.loopback)
        let deserted = try ScriptedRedis(.loopback)
        deserted.stop()
        let ports = [deserted.port, owner.port]
        let bench = try Bench(try ScriptedRedis(.loopback)) {
            $0.retryDelay = .milliseconds(100)
        } lookUp: { _, _ in
            ports.flatMap { SocketAddress.resolve(host: "127.0.0.1", port: $0, isNumeric: true) }
        }
        bench.nodes = [owner]
        let session = try bench.connect()
        let waiter = try bench.pushed("a", on: session)
        session.send("-MOVED 3999 owner.example:\(owner.port)\r\n")
        let other = try bench.connect(to: owner)
        #expect(try bench.commands(1, of: other)[0].contains("a"))
        other.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func `the owner is remembered while a connection to it stays`() throws {
        let (bench, owner) = try Bench.cluster()
        let (waiter, other) = try bench.redirected(to: owner, by: moved(to: owner))
        let second = try anotherConnection(bench, to: owner, besides: other)
        second.close()
        try bench.run { !bench.lossReasons.isEmpty }
        bench.push("another is wanted again")
        try bench.connect(to: owner)
        other.isReading = true
        other.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        #expect(bench.redis.sessions.count == 1)
    }

    /// Another connection, which is made because the one that there is takes no more.
    private func anotherConnection(_ bench: Bench, to node: ScriptedRedis, besides session: Session) throws -> Session {
        session.isReading = false
        let big = String(repeating: "z", count: 60_000)
        while !bench.pool.machine.lanes.contains(where: { $0?.isBlocked == true }), bench.lastWaiter < 500 {
            bench.push(big)
            bench.turn()
        }
        bench.push("waits behind")
        return try bench.connect(to: node)
    }

    @Test func `what is not sent yet on another connection goes to the owner too`() throws {
        let (bench, owner) = try Bench.cluster()
        let first = try bench.connect()
        let second = try anotherConnection(bench, to: bench.redis, besides: first)
        let two = try bench.pushed("2", on: second)
        let known = bench.lastWaiter
        second.send(moved(to: owner))
        owner.answer = { ["PING": "+PONG\r\n", "LPUSH": ":1\r\n"][$1[0]] ?? "+OK\r\n" }
        #expect(try bench.await(two) == .queued(depth: 1))
        // What the kernel has of the first is answered there, the rest at the owner.
        first.isReading = true
        bench.redis.answer = { _, command in command[0] == "LPUSH" ? ":1\r\n" : nil }
        for waiter in 1...known { #expect(try bench.await(waiter) == .queued(depth: 1)) }
        #expect(first.isAbandoned || first.commandCount == 0)
    }

    @Test func `following a redirection does not count as a failed attempt`() throws {
        let (bench, owner) = try Bench.cluster { $0.attempts = 1 }
        let (waiter, other) = try bench.redirected(to: owner, by: moved(to: owner))
        other.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func `a redirected probe is followed, and closes the breaker`() throws {
        let (bench, owner) = try Bench.cluster()
        let session = try bench.connect()
        let refused = try bench.pushed("a", on: session)
        session.send("-OOM o\r\n")
        _ = try bench.await(refused)
        try bench.run { bench.pool.isUsable }
        let probe = try bench.pushed("b", on: session)
        session.send(moved(to: owner))
        let other = try bench.connect(to: owner)
        #expect(bench.tryPush() == .breakerOpen)
        #expect(try bench.commands(1, of: other)[0].contains("b"))
        other.send(":1\r\n")
        #expect(try bench.await(probe) == .queued(depth: 1))
        #expect(bench.breakerChanges == [true, false])
    }

    @Test(arguments: [false, true])
    func `a second redirection of the same push is a refusal`(asks: Bool) throws {
        let (bench, owner) = try Bench.cluster()
        let (waiter, other) = try bench.redirected(to: owner, by: moved(to: owner))
        other.send(asks ? ask(bench.redis) : moved(to: bench.redis))
        #expect(try bench.await(waiter) == .failed(.refused(.elsewhere, word: asks ? "ASK" : "MOVED")))
        #expect(bench.breakerChanges == [true])
        try bench.linger()
        #expect(bench.redis.sessions.count == 1 && owner.sessions.count == 1 && bench.redirections.count == 1)
    }

    @Test func `a redirection without a host means the node that answered`() throws {
        let (bench, owner) = try Bench.cluster()
        let named = "-MOVED 3999 localhost:\(owner.port)\r\n"
        let (first, other) = try bench.redirected(to: owner, by: named)
        other.send(":1\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        let second = bench.push()
        _ = try bench.commands(1, of: other)
        other.send("-MOVED 3999 :\(bench.redis.port)\r\n")
        let session = try bench.connect()
        _ = try bench.commands(1, of: session)
        session.send(":2\r\n")
        #expect(try bench.await(second) == .queued(depth: 2))
        #expect(bench.redirections.last == "localhost:\(bench.redis.port)")
    }

    // MARK: How long the queue is

    @Test func `the length of a full queue is asked for where the queue is`() throws {
        let (bench, owner) = try Bench.cluster { $0.maxDepth = 10 }
        let (waiter, other) = try bench.redirected(to: owner, by: moved(to: owner))
        other.send(":10\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 10))
        #expect(bench.tryPush() == .queueFull)
        #expect(try bench.commands(1, of: other).map { $0[0] } == ["LLEN"])
        other.send(":9\r\n")
        try bench.run { bench.pool.depth == 9 }
    }

    @Test func `LLEN that gets MOVED lets a push through, which is followed`() throws {
        let (bench, owner) = try Bench.cluster { $0.maxDepth = 10 }
        let session = try bench.connect()
        let first = try bench.pushed(on: session)
        session.send(":10\r\n")
        #expect(try bench.await(first) == .queued(depth: 10))
        #expect(try bench.commands(1, of: session)[0][0] == "LLEN")
        session.send(moved(to: owner))
        try bench.run { bench.pool.depth < 10 }
        let (waiter, other) = try bench.redirected(session, to: owner, by: moved(to: owner))
        other.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }
}
