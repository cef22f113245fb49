import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// A queue whose slot is on its way to another node of the cluster: ASK.
struct AskTests {
    @Test func `ASK is followed once, with ASKING before each command`() throws {
        let (bench, owner) = try Bench.cluster()
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
        let (bench, owner) = try Bench.cluster()
        let (first, other) = try bench.redirected(to: owner, by: ask(owner))
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
        let (bench, owner) = try Bench.cluster {
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

    @Test func `a user without the right to ASKING is told so`() throws {
        let (bench, owner) = try Bench.cluster()
        let session = try bench.connect()
        let waiter = try bench.pushed("a", on: session)
        session.send(ask(owner))
        let other = try bench.connect(to: owner)
        _ = try bench.commands(2, of: other)
        other.send("-NOPERM this user has no permissions to run the 'asking' command\r\n" + moved(to: bench.redis))
        #expect(try bench.await(waiter) == .failed(.refused(.askingRefused, word: "NOPERM")))
        #expect(bench.events.last == .breakerOpened(.refused(.askingRefused, word: "NOPERM")))
        #expect(!other.isAbandoned && !session.isAbandoned)
    }

    @Test func `a node that ASK named and that is not there costs an attempt`() throws {
        let (bench, owner) = try Bench.cluster { $0.attempts = 2 }
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
        let (bench, owner) = try Bench.cluster { $0.maxConnections = 1 }
        let (first, other) = try bench.redirected(to: owner, by: ask(owner))
        other.send(":1\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        let second = bench.push("b")
        let session = try bench.connect()
        #expect(try bench.commands(1, of: session)[0].contains("b"))
        session.send(":2\r\n")
        #expect(try bench.await(second) == .queued(depth: 2))
    }

    @Test func `after ASK the owner is still remembered`() throws {
        let (bench, owner) = try Bench.cluster()
        let third = try ScriptedRedis(.loopback)
        bench.nodes.append(third)
        let (first, other) = try bench.redirected(to: owner, by: moved(to: owner))
        other.send(":1\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        let (second, last) = try bench.redirected(other, to: third, by: ask(third))
        last.send(":2\r\n")
        #expect(try bench.await(second) == .queued(depth: 2))
        _ = try bench.pushed("c", on: other)
        #expect(bench.redis.sessions.count == 1)
    }
}
