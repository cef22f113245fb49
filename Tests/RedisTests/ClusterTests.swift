import EventLoop
import TestSupport
import Testing

@testable import Redis

/// What nodes of a cluster answer about a key that another one has.
struct ClusterTests {
    @Test(arguments: [
        ("MOVED 3999 127.0.0.1:6381", false, "127.0.0.1", UInt16(6381)),
        ("ASK 0 node-7.example:1", true, "node-7.example", 1),
        ("MOVED 16383 2001:db8::7:65535", false, "2001:db8::7", 65_535), ("MOVED 1 :6379", false, nil, 6379),
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
        "MOVED 1 é:1", "MOVED 1 " + String(repeating: "a", count: 300) + ":1", "MOVED 1 a:+1",
    ])
    func whatIsNoRedirection(text: String) { #expect(Redirection(utf8(text).span) == nil) }

    /// A node that is asked first, and the one that has the queue.
    private func nodes() throws -> (bench: Bench, owner: ScriptedRedis) {
        let owner = try ScriptedRedis(.loopback)
        return (try Bench(try ScriptedRedis(.loopback)), owner)
    }

    /// The owner's next connection, greeted.
    private func connected(_ bench: Bench, to owner: ScriptedRedis) throws -> Session {
        var session: Session?
        owner.welcome = { session = $0 }
        owner.answer = { $1[0] == "PING" ? "+PONG\r\n" : "+OK\r\n" }
        let known = bench.events.count
        try bench.run {
            // Looked at before the owner reads on: what is behind the greeting is the test's to answer.
            if bench.events.dropFirst(known).contains(where: { if case .connected = $0 { true } else { false } }) {
                return true
            }
            try owner.poll()
            return false
        }
        owner.answer = nil
        return try #require(session)
    }

    private func commands(_ count: Int, of session: Session, _ bench: Bench, _ owner: ScriptedRedis) throws
        -> [[String]]
    {
        try bench.run {
            try owner.poll()
            return session.commandCount >= count
        }
        return (0..<count).compactMap { _ in session.takeCommand() }
    }

    @Test func movedIsFollowedAndRemembered() throws {
        let (bench, owner) = try nodes()
        let session = try bench.connect()
        let waiters = [bench.push("a"), bench.push("b", mark: mark("d"))]
        _ = try bench.commands(2, of: session)
        let moved = "-MOVED 3999 127.0.0.1:\(owner.port)\r\n"
        session.send(moved + moved)
        let other = try connected(bench, to: owner)
        let repeated = try commands(2, of: other, bench, owner)
        #expect(repeated.map { $0[0] } == ["LPUSH", "EVALSHA"], "in their order")
        other.send(":1\r\n:2\r\n")
        #expect(try waiters.map { try bench.await($0) } == [.queued(depth: 1), .queued(depth: 2)])
        #expect(bench.events.contains(.redirected(to: "127.0.0.1:\(owner.port)")) && bench.breakerChanges.isEmpty)
        let third = bench.push("c")
        #expect(try commands(1, of: other, bench, owner)[0].contains("c"))
        other.send(":3\r\n")
        #expect(try bench.await(third) == .queued(depth: 3))
        #expect(bench.redis.sessions.count == 1, "nobody asks the first node again")
        // The owner goes: whoever was set knows the new one.
        other.close()
        try bench.connect()
    }

    @Test func askIsFollowedOnceWithAsking() throws {
        let (bench, owner) = try nodes()
        let session = try bench.connect()
        let waiter = try bench.pushed("a", mark: mark("d"), on: session)
        session.send("-ASK 3999 :\(owner.port)\r\n")
        let other = try connected(bench, to: owner)
        #expect(try commands(2, of: other, bench, owner).map { $0[0] } == ["ASKING", "EVALSHA"])
        other.send("+OK\r\n-NOSCRIPT No matching script.\r\n")
        #expect(try commands(2, of: other, bench, owner).map { $0[0] } == ["ASKING", "EVAL"])
        other.send("+OK\r\n:1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        let second = bench.push("b")
        #expect(try commands(2, of: other, bench, owner).map { $0[0] } == ["ASKING", "LPUSH"])
        // Lost while it is under way: it was not remembered.
        other.close()
        #expect(try bench.await(second) == .failed(.ambiguous))
        try bench.connect()
        #expect(owner.sessions.count == 1)
    }

    @Test func aCircleIsRefused() throws {
        let (bench, owner) = try nodes()
        let session = try bench.connect()
        let waiter = try bench.pushed("a", on: session)
        session.send("-MOVED 3999 127.0.0.1:\(owner.port)\r\n")
        let other = try connected(bench, to: owner)
        _ = try commands(1, of: other, bench, owner)
        other.send("-MOVED 3999 127.0.0.1:\(bench.redis.port)\r\n")
        #expect(try bench.await(waiter) == .failed(.refused(.elsewhere, word: "MOVED")))
        #expect(bench.breakerChanges == [true])
    }

    @Test func anOwnerThatIsNotThereIsForgotten() throws {
        let owner = try ScriptedRedis(.loopback)
        let bench = try Bench(try ScriptedRedis(.loopback)) { $0.attempts = 5 }
        owner.stop()
        let session = try bench.connect()
        let waiter = try bench.pushed("a", on: session)
        session.send("-MOVED 3999 127.0.0.1:\(owner.port)\r\n")
        // And what was sent to it can be sent on again.
        var again = try bench.connect()
        #expect(try bench.commands(1, of: again)[0].contains("a"))
        again.send("-MOVED 3999 127.0.0.1:\(bench.redis.port)\r\n")
        again = try bench.connect()
        #expect(try bench.commands(1, of: again)[0].contains("a"))
        again.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }
}
