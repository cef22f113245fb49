import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// When the pool refuses pushes at once, and how it finds out that Redis takes them again.
struct PoolBreakerTests {
    private func seconds(since start: Instant) -> Double { Double(Instant.now.since(start)) / 1e9 }

    /// A bench whose breaker is open because of what Redis answered.
    private func refused(_ reply: String = "-OOM no\r\n") throws -> (Bench, Session) {
        let bench = try Bench()
        let session = try bench.connect()
        let waiter = try bench.pushed(on: session)
        session.send(reply)
        _ = try bench.await(waiter)
        #expect(bench.breakerChanges == [true] && !bench.pool.isUsable)
        return (bench, session)
    }

    /// Pushes as soon as the breaker admits a probe, which must be within a second.
    private func probe(_ bench: Bench) throws -> UInt64 {
        let start = Instant.now
        try bench.run { bench.pool.isUsable }
        #expect(seconds(since: start) < 1)
        let waiter = bench.push("probe")
        #expect(bench.tryPush() == .breakerOpen, "one at a time")
        return waiter
    }

    @Test func `the breaker opens after as many attempts as are allowed, and refuses at once`() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        let bench = try Bench(redis) { $0.attempts = 4 }
        #expect(bench.pool.breakerState == .closed)
        let start = Instant.now
        try bench.run { bench.pool.breakerState == .unreachable }
        // Three waits of 10 ms, each jittered by half.
        #expect(seconds(since: start) >= 0.014)
        #expect(bench.tryPush() == .breakerOpen && bench.pool.pendingCount == 0)
        #expect(bench.pool.retryAfter == 5)
        try bench.linger(milliseconds: 300)
        #expect(bench.breakerChanges == [true], "one event for a change, however long it lasts")
        #expect(bench.dialFailures.count == 1)
    }

    @Test func `the breaker closes within a second of Redis' return`() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        let bench = try Bench(redis)
        try bench.run { bench.pool.breakerState == .unreachable }
        try bench.linger(milliseconds: 400)
        try redis.start()
        let start = Instant.now
        let session = try bench.connect()
        #expect(seconds(since: start) < 1)
        #expect(bench.breakerChanges == [true, false] && bench.pool.isUsable && bench.pool.retryAfter == 1)
        let waiter = try bench.pushed(on: session)
        session.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func `one probe that succeeds closes the breaker`() throws {
        let (bench, session) = try refused()
        for success in [":5\r\n", "$1\r\nv\r\n"] {
            let waiter = try probe(bench)
            _ = try bench.commands(1, of: session)
            session.send("-MISCONF still not\r\n")
            #expect(try bench.await(waiter) == .failed(.refused(.writesRefused, word: "MISCONF")))
            #expect(bench.tryPush() == .breakerOpen)
            try bench.run { bench.pool.isUsable }
            let next = bench.push(key: named("m"))
            _ = try bench.commands(1, of: session)
            session.send(success)
            _ = try bench.await(next)
            #expect(bench.pool.breakerState == .closed)
            let again = try bench.pushed(on: session)
            session.send("-OOM no\r\n")
            _ = try bench.await(again)
        }
        #expect(bench.breakerChanges == [true, false, true, false, true])
    }

    @Test func `a probe that is lost keeps the breaker open`() throws {
        let (bench, session) = try refused()
        let waiter = try probe(bench)
        _ = try bench.commands(1, of: session)
        session.close()
        #expect(try bench.await(waiter) == .failed(.ambiguous))
        let second = try bench.connect()
        #expect(bench.tryPush() == .breakerOpen)
        #expect(bench.breakerChanges == [true])
        let next = try probe(bench)
        _ = try bench.commands(1, of: second)
        second.send(":1\r\n")
        #expect(try bench.await(next) == .queued(depth: 1))
        #expect(bench.breakerChanges == [true, false])
    }

    @Test(arguments: ["-LOADING wait\r\n", "-READONLY no\r\n", "-NOAUTH who\r\n", "-NOREPLICAS none\r\n", "+OK\r\n"])
    func `whatever a probe is answered, another one follows`(reply: String) throws {
        let (bench, session) = try refused()
        _ = try probe(bench)
        _ = try bench.commands(1, of: session)
        session.send(reply)
        try bench.run(seconds: 2) { bench.pool.breakerState != .probing }
        #expect(bench.breakerChanges == [true])
        // Answers well from here on, to whatever connection.
        bench.redis.answer = { _, command in
            command[0] == "PING" ? "+PONG\r\n" : command[0] == "LPUSH" ? ":1\r\n" : "+OK\r\n"
        }
        try bench.run { bench.pool.isUsable }
        let next = bench.push()
        #expect(try bench.await(next) == .queued(depth: 1))
        #expect(bench.breakerChanges == [true, false])
        #expect(bench.pool.pendingCount == 0)
    }

    /// LOADING answers the probe, though its deadline leaves no time for another attempt.
    @Test func `a probe that is put off beyond its deadline lets another follow`() throws {
        let bench = try Bench { $0.pushDeadline = .milliseconds(1) }
        var reply = "-OOM no\r\n"
        bench.redis.answer = { _, command in
            command[0] == "PING" ? "+PONG\r\n" : command[0] == "LPUSH" ? reply : "+OK\r\n"
        }
        try bench.run { bench.pool.isUsable }
        bench.push()
        try bench.run { !bench.breakerChanges.isEmpty }
        reply = "-LOADING wait\r\n"
        try bench.run { bench.pool.isUsable }
        bench.push()
        try bench.run { bench.pool.pendingCount == 0 }
        try bench.linger(milliseconds: 20)
        #expect(bench.pool.breakerState != .probing)
        reply = ":1\r\n"
        try bench.run {
            if bench.pool.isUsable { _ = bench.tryPush() }
            return bench.pool.breakerState == .closed
        }
    }

    @Test func `what only an operator can mend is probed slowly`() throws {
        let (bench, _) = try refused("-NOPERM no\r\n")
        let start = Instant.now
        try bench.run { bench.pool.isUsable }
        // 3 s, jittered by half.
        #expect((1.45..<3.5).contains(seconds(since: start)))
    }
}
