import System
import TestSupport
import Testing

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
    private func nodes(_ change: (inout Pool.Settings) -> Void = { _ in }) throws -> (
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
        let waiters = jobs.map { bench.push($0, mark: $0 == "job 2" ? mark("d") : nil) }
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
        // And what was sent to it can be sent on again.
        var again = try bench.connect()
        #expect(try bench.commands(1, of: again)[0].contains("a"))
        again.send(moved(to: bench.redis))
        again = try bench.connect()
        #expect(try bench.commands(1, of: again)[0].contains("a"))
        again.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func everyAddressOfTheOwnersNameIsTried() throws {
        let (bench, owner) = try nodes { $0.retryDelay = .milliseconds(100) }
        let session = try bench.connect()
        let waiter = try bench.pushed("a", on: session)
        session.send("-MOVED 3999 owner.invalid:\(owner.port)\r\n")
        try bench.run { !bench.redirections.isEmpty }
        let deserted = try ScriptedRedis(.loopback)
        deserted.stop()
        let addresses = [deserted, owner].flatMap {
            SocketAddress.resolve(host: "127.0.0.1", port: $0.port, isNumeric: true)
        }
        let isFound = bench.pool.dialler.resolved(addresses)
        #expect(isFound)
        let other = try bench.connect(to: owner)
        #expect(try bench.commands(1, of: other)[0].contains("a"))
        other.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func theOwnerIsRememberedWhileAConnectionToItStays() throws {
        let (bench, owner) = try nodes()
        let (waiter, other) = try redirected(bench, to: owner, by: moved(to: owner))
        bench.pool.dialler.wantsAnother = true
        let second = try bench.connect(to: owner)
        second.close()
        try bench.run { !bench.lossReasons.isEmpty }
        bench.pool.dialler.wantsAnother = true
        try bench.connect(to: owner)
        other.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        #expect(bench.redis.sessions.count == 1)
    }

    @Test func whatIsNotSentYetOnAnotherConnectionGoesToTheOwnerToo() throws {
        let (bench, owner) = try nodes {
            $0.waitReplicas = 1
            $0.waitMilliseconds = 100
        }
        let first = try bench.connect()
        bench.pool.dialler.wantsAnother = true
        let second = try bench.connect()
        // The first waits for replicas, so the next push goes to the second.
        let one = bench.push("1")
        _ = try bench.commands(2, of: first)
        let two = bench.push("2")
        #expect(try bench.commands(2, of: second)[0].contains("2"))
        first.send(":1\r\n:1\r\n")
        #expect(try bench.await(one) == .queued(depth: 1))
        let three = bench.push("3")
        second.send(moved(to: owner) + ":0\r\n")
        try bench.connect(to: owner)
        owner.answer = { _, _ in ":1\r\n" }
        for waiter in [two, three] { #expect(try bench.await(waiter) == .queued(depth: 1)) }
        #expect(first.commandCount == 0)
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

    @Test func askIsFollowedOnceWithAsking() throws {
        let (bench, owner) = try nodes()
        let session = try bench.connect()
        let waiter = try bench.pushed("a", mark: mark("d"), on: session)
        session.send("-ASK 3999 :\(owner.port)\r\n")
        let other = try bench.connect(to: owner)
        #expect(try bench.commands(2, of: other).map { $0[0] } == ["ASKING", "EVALSHA"])
        other.send("+OK\r\n-NOSCRIPT No matching script.\r\n")
        #expect(try bench.commands(2, of: other).map { $0[0] } == ["ASKING", "EVAL"])
        other.send("+OK\r\n-TRYAGAIN Multiple keys request during rehashing of slot\r\n")
        #expect(try bench.commands(2, of: other).map { $0[0] } == ["ASKING", "EVAL"])
        other.send("+OK\r\n:1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        #expect(bench.pool.pendingBytes == 0)
        let second = bench.push("b")
        #expect(try bench.commands(2, of: other).map { $0[0] } == ["ASKING", "LPUSH"])
        // Lost while it is under way: it was not remembered.
        other.close()
        #expect(try bench.await(second) == .failed(.ambiguous))
        try bench.connect()
        #expect(owner.sessions.count == 1 && bench.pool.pendingBytes == 0)
    }

    @Test func waitNeedsNoAsking() throws {
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

    @Test func aConnectionThatAsksStaysWhenAnotherIsSentThereToo() throws {
        let (bench, owner) = try nodes()
        let (_, other) = try redirected(bench, to: owner, by: ask(owner))
        other.isReading = false
        let big = String(repeating: "z", count: 60_000)
        while !bench.pool.connections.contains(where: { $0?.isBlocked == true }), bench.lastWaiter < 500 {
            bench.push(big)
            bench.turn()
        }
        // One more is wanted, and goes to the address that was set.
        bench.push("waits behind")
        let session = try bench.connect()
        _ = try bench.pushed("b", on: session)
        session.send(ask(owner))
        try bench.run { bench.redirections.count == 2 }
        owner.answer = { ["PING": "+PONG\r\n", "LPUSH": ":1\r\n"][$1[0]] ?? "+OK\r\n" }
        other.send(":1\r\n")
        other.isReading = true
        try bench.run { bench.pool.pendingCount == 0 }
        #expect(bench.results.allSatisfy { $0.result == .queued(depth: 1) } && bench.pool.pendingBytes == 0)
        #expect(bench.lossReasons.count == 2, "the two that were sent on, and not the one that asks")
    }

    @Test func afterAskTheOwnerIsStillRemembered() throws {
        let (bench, owner) = try nodes()
        let third = try ScriptedRedis(.loopback)
        bench.nodes.append(third)
        let (first, other) = try redirected(bench, to: owner, by: moved(to: owner))
        other.send(":1\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        let (second, last) = try redirected(bench, other, to: third, by: ask(third))
        last.send(":2\r\n")
        #expect(try bench.await(second) == .queued(depth: 2))
        last.close()
        try bench.connect(to: owner)
        #expect(bench.redis.sessions.count == 1)
    }

    @Test func withoutAHostItIsThatOfTheNodeThatAnswered() throws {
        let (bench, owner) = try nodes()
        let named = "-ASK 3999 localhost:\(owner.port)\r\n"
        let (first, other) = try redirected(bench, to: owner, by: named)
        other.send(":1\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        let second = bench.push()
        _ = try bench.commands(2, of: other)
        other.send("+OK\r\n-MOVED 3999 :\(bench.redis.port)\r\n")
        let session = try bench.connect()
        _ = try bench.commands(1, of: session)
        session.send(":2\r\n")
        #expect(try bench.await(second) == .queued(depth: 2))
        let (node, place) = ("localhost:\(owner.port)", "localhost:\(bench.redis.port)")
        #expect(bench.events.contains(.redirected(from: node, to: place)))
    }

    // MARK: How long the queue is

    @Test(arguments: [false, true])
    func theLengthOfAFullQueueIsAskedForWhereItIs(asks: Bool) throws {
        let (bench, owner) = try nodes { $0.maxDepth = 10 }
        let (waiter, other) = try redirected(bench, to: owner, by: asks ? ask(owner) : moved(to: owner))
        other.send(":10\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 10))
        #expect(bench.tryPush() == .queueFull)
        let expected = asks ? ["ASKING", "LLEN"] : ["LLEN"]
        #expect(try bench.commands(expected.count, of: other).map { $0[0] } == expected)
        other.send((asks ? "+OK\r\n" : "") + ":9\r\n")
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
