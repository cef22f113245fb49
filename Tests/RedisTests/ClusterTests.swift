import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// What nodes of a cluster answer about a key that another one has.
struct ClusterTests {
    @Test(arguments: [
        ("MOVED 3999 127.0.0.1:6381", false, "127.0.0.1", UInt16(6381)),
        ("ASK 0 node-7.example:1", true, "node-7.example", 1),
        ("MOVED 16383 2001:db8::7:65535", false, "2001:db8::7", 65_535), ("MOVED 1 :6379", false, nil, 6379),
        (
            "MOVED 16383 " + String(repeating: "a", count: 255) + ":65535", false, String(repeating: "a", count: 255),
            65_535
        ),
    ])
    func redirections(text: String, asks: Bool, host: String?, port: UInt16) throws {
        let found = Redirection(utf8(text).span)
        let redirection = try #require(found)
        #expect(redirection.asks == asks && redirection.host == host && redirection.port == port)
        for count in 0..<text.utf8.count {
            let part = Redirection(utf8(text).span.extracting(first: count))
            #expect(part.map { (host ?? "").hasPrefix($0.host ?? "") } ?? true)
        }
    }

    @Test(arguments: [
        "", "MOVED", "MOVED 1", "MOVED 1 ", "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED +1 a:1", "MOVED 1 a:0",
        "MOVED 1 a:65536",
        "MOVED 1 a:", "MOVED 1 a", "MOVED 1 ?:6379", "MOVED  1 a:1", "MOVED 1 a:1 b", "moved 1 a:1", "MOVED 1 \u{1}:1",
        "MOVED 1 é:1", "MOVED 1 " + String(repeating: "a", count: 256) + ":1", "MOVED 1 a:+1",
    ])
    func whatIsNoRedirection(text: String) { #expect(Redirection(utf8(text).span) == nil) }

    /// A node that is asked first, and the one that has the queue.
    private func nodes(_ change: (inout DeliveryPolicy) -> Void = { _ in }) throws -> (
        bench: Bench, owner: ScriptedRedis
    ) {
        let bench = try Bench(try ScriptedRedis(.loopback), change)
        bench.nodes = [try ScriptedRedis(.loopback)]
        return (bench, bench.nodes[0])
    }

    // MARK: MOVED

    @Test func movedIsFollowedAndRemembered() throws {
        let (bench, owner) = try nodes()
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

    @Test func anOwnerThatIsAReplicaNowIsForgotten() throws {
        let (bench, owner) = try nodes()
        let (waiter, other) = try redirected(bench, to: owner, by: moved(to: owner))
        other.send("-READONLY You can't write against a read only replica.\r\n")
        let again = try bench.connect()
        #expect(owner.sessions.count == 1)
        #expect(try bench.commands(1, of: again)[0].contains("job"))
        again.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func anOwnerThatIsNotThereIsForgotten() throws {
        let (bench, owner) = try nodes { $0.attempts = 5 }
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
        let (bench, owner) = try nodes()
        let (waiter, other) = try redirected(bench, to: owner, by: moved(to: owner))
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
        let (bench, owner) = try nodes()
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

    @Test func followingIsNoAttemptToConnectThatFailed() throws {
        let (bench, owner) = try nodes { $0.attempts = 1 }
        let (waiter, other) = try redirected(bench, to: owner, by: moved(to: owner))
        other.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func theBreakersProbeIsFollowed() throws {
        let (bench, owner) = try nodes()
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
    func aCircleIsRefused(asks: Bool) throws {
        let (bench, owner) = try nodes()
        let (waiter, other) = try redirected(bench, to: owner, by: moved(to: owner))
        other.send(asks ? ask(bench.redis) : moved(to: bench.redis))
        #expect(try bench.await(waiter) == .failed(.refused(.elsewhere, word: asks ? "ASK" : "MOVED")))
        #expect(bench.breakerChanges == [true])
        try bench.linger()
        #expect(bench.redis.sessions.count == 1 && owner.sessions.count == 1 && bench.redirections.count == 1)
    }

    // MARK: ASK

    @Test func `ASK is followed once, with ASKING before each command`() throws {
        let (bench, owner) = try nodes()
        let session = try bench.connect()
        let waiter = try bench.pushed("a", key: named("d"), on: session)
        session.send("-ASK 3999 :\(owner.port)\r\n")
        let other = try bench.connect(to: owner)
        #expect(try bench.commands(2, of: other).map { $0[0] } == ["ASKING", "EVALSHA"])
        other.send("+OK\r\n-NOSCRIPT No matching script.\r\n")
        #expect(try bench.commands(2, of: other).map { $0[0] } == ["ASKING", "EVAL"])
        other.send("+OK\r\n-TRYAGAIN Multiple keys request during rehashing of slot\r\n")
        #expect(try bench.commands(2, of: other).map { $0[0] } == ["ASKING", "EVAL"])
        other.send("+OK\r\n:1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        #expect(bench.pool.pendingBytes == 0 && !session.isAbandoned)
    }

    @Test func `after ASK the next push asks the queue's node first`() throws {
        let (bench, owner) = try nodes()
        let (first, other) = try redirected(bench, to: owner, by: ask(owner))
        other.send(":1\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        let session = bench.redis.sessions[0]
        let second = try bench.pushed("b", on: session)
        session.send(ask(owner))
        #expect(try bench.commands(2, of: other).map { $0[0] } == ["ASKING", "LPUSH"])
        // Lost while it is under way.
        other.close()
        #expect(try bench.await(second) == .failed(.ambiguous))
        let third = try bench.pushed("c", on: session)
        session.send(":3\r\n")
        #expect(try bench.await(third) == .queued(depth: 3))
        #expect(owner.sessions.count == 1 && bench.pool.pendingBytes == 0)
    }

    @Test func `WAIT needs no ASKING`() throws {
        let (bench, owner) = try nodes {
            $0.waitReplicas = 1
            $0.waitMilliseconds = 100
        }
        let session = try bench.connect()
        let waiters = [bench.push("a"), bench.push("b")]
        _ = try bench.commands(3, of: session)
        session.send(ask(owner) + ask(owner) + ":0\r\n")
        let other = try bench.connect(to: owner)
        #expect(
            try bench.commands(5, of: other).map { $0[0] } == ["ASKING", "LPUSH", "ASKING", "LPUSH", "WAIT"])
        other.send("+OK\r\n:1\r\n+OK\r\n:2\r\n")
        try bench.linger(milliseconds: 20)
        #expect(bench.results.isEmpty)
        other.send(":1\r\n")
        #expect(try waiters.map { try bench.await($0) } == [.queued(depth: 1), .queued(depth: 2)])
    }

    @Test func `a node that ASK named and that is not there costs an attempt`() throws {
        let (bench, owner) = try nodes { $0.attempts = 2 }
        owner.stop()
        let session = try bench.connect()
        let lucky = try bench.pushed("a", on: session)
        session.send(ask(owner))
        #expect(try bench.commands(1, of: session)[0].contains("a"), "asked again at the queue's node")
        session.send(":1\r\n")
        #expect(try bench.await(lucky) == .queued(depth: 1))
        let unlucky = try bench.pushed("b", on: session)
        session.send(ask(owner))
        _ = try bench.commands(1, of: session)
        session.send(ask(owner))
        #expect(try bench.await(unlucky) == .failed(.notConnected))
        #expect(bench.breakerChanges.isEmpty && !session.isAbandoned)
    }

    @Test func `with room for one connection ASK takes the place of an idle one`() throws {
        let (bench, owner) = try nodes { $0.maxConnections = 1 }
        let (first, other) = try redirected(bench, to: owner, by: ask(owner))
        other.send(":1\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        let second = bench.push("b")
        let session = try bench.connect()
        #expect(try bench.commands(1, of: session)[0].contains("b"))
        session.send(":2\r\n")
        #expect(try bench.await(second) == .queued(depth: 2))
    }

    @Test func `after ASK the owner is still remembered`() throws {
        let (bench, owner) = try nodes()
        let third = try ScriptedRedis(.loopback)
        bench.nodes.append(third)
        let (first, other) = try redirected(bench, to: owner, by: moved(to: owner))
        other.send(":1\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        let (second, last) = try redirected(bench, other, to: third, by: ask(third))
        last.send(":2\r\n")
        #expect(try bench.await(second) == .queued(depth: 2))
        _ = try bench.pushed("c", on: other)
        #expect(bench.redis.sessions.count == 1)
    }

    @Test func `a redirection without a host means the node that answered`() throws {
        let (bench, owner) = try nodes()
        let named = "-MOVED 3999 localhost:\(owner.port)\r\n"
        let (first, other) = try redirected(bench, to: owner, by: named)
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
        let (bench, owner) = try nodes { $0.maxDepth = 10 }
        let (waiter, other) = try redirected(bench, to: owner, by: moved(to: owner))
        other.send(":10\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 10))
        #expect(bench.tryPush() == .queueFull)
        #expect(try bench.commands(1, of: other).map { $0[0] } == ["LLEN"])
        other.send(":9\r\n")
        try bench.run { bench.pool.depth == 9 }
    }

    @Test func aFullQueueThatHasMovedIsFollowedByAPush() throws {
        let (bench, owner) = try nodes { $0.maxDepth = 10 }
        let session = try bench.connect()
        let first = try bench.pushed(on: session)
        session.send(":10\r\n")
        #expect(try bench.await(first) == .queued(depth: 10))
        #expect(try bench.commands(1, of: session)[0][0] == "LLEN")
        session.send(moved(to: owner))
        try bench.run { bench.pool.depth < 10 }
        let (waiter, other) = try redirected(bench, session, to: owner, by: moved(to: owner))
        other.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    private func moved(to node: ScriptedRedis) -> String { "-MOVED 3999 127.0.0.1:\(node.port)\r\n" }
    private func ask(_ node: ScriptedRedis) -> String { "-ASK 3999 127.0.0.1:\(node.port)\r\n" }

    /// A push that a node has sent on, and the connection on which it came; ASKING is answered.
    private func redirected(
        _ bench: Bench, _ connected: Session? = nil, to owner: ScriptedRedis, by answer: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (waiter: UInt64, other: Session) {
        let session = try connected ?? bench.connect(sourceLocation: sourceLocation)
        let waiter = try bench.pushed(on: session, sourceLocation: sourceLocation)
        session.send(answer)
        let other = try bench.connect(to: owner, sourceLocation: sourceLocation)
        if answer.hasPrefix("-ASK") {
            #expect(
                try bench.commands(1, of: other, sourceLocation: sourceLocation) == [["ASKING"]],
                sourceLocation: sourceLocation)
            other.send("+OK\r\n")
        }
        let command = try bench.commands(1, of: other, sourceLocation: sourceLocation)[0]
        #expect(command.contains("job"), sourceLocation: sourceLocation)
        return (waiter, other)
    }
}
