import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// A queue that may not grow beyond a limit.
struct DepthTests {
    /// A bench whose queue has just reached its limit of 10.
    private func full() throws -> (Bench, Session) {
        let bench = try Bench { $0.maxDepth = 10 }
        let session = try bench.connect()
        for depth in 9...10 {
            let waiter = try bench.pushed(on: session)
            session.send(":\(depth)\r\n")
            #expect(try bench.await(waiter) == .queued(depth: depth))
        }
        #expect(bench.tryPush() == .queueFull)
        return (bench, session)
    }

    @Test func `a full queue is asked for its length until it is shorter`() throws {
        let (bench, session) = try full()
        #expect(bench.pool.retryAfter == 30, "nothing is known of how fast it gets shorter")
        let start = Instant.now
        for depth in [110, 60] {
            #expect(try bench.commands(1, of: session) == [["LLEN", "enhancement:queue"]])
            session.send(":\(depth)\r\n")
        }
        try bench.run { bench.pool.depth == 60 }
        // Asked every 250 ms, so 50 jobs in that time, or in a little more: the last 51 take as long again.
        #expect(Instant.now.since(start) >= 499_000_000)
        #expect((1...3).contains(bench.pool.retryAfter))
        #expect(bench.tryPush() == .queueFull)
        #expect(try bench.commands(1, of: session)[0][0] == "LLEN")
        session.send(":9\r\n")
        try bench.run { bench.pool.depth == 9 }
        #expect(bench.pool.retryAfter == 1)
        _ = try bench.pushed(on: session)
        try bench.linger(milliseconds: 300)
        #expect(session.commandCount == 0, "a queue that is not full is not asked")
    }

    @Test func `without the right to LLEN a push tells the length, and that is reported once`() throws {
        let (bench, session) = try full()
        _ = try bench.commands(1, of: session)
        session.send("-NOPERM this user has no permissions to run the 'llen' command\r\n")
        try bench.run { bench.pool.depth < 10 }
        let waiter = try bench.pushed(on: session)
        session.send(":11\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 11))
        #expect(bench.tryPush() == .queueFull)
        #expect(bench.breakerChanges.isEmpty && bench.redis.sessions.count == 1)
        // Every time again, and reported once.
        _ = try bench.commands(1, of: session)
        session.send("-NOPERM this user has no permissions to run the 'llen' command\r\n")
        try bench.run { bench.pool.depth < 10 }
        #expect(bench.events.count { $0 == .lengthRefused(word: "NOPERM") } == 1)
    }

    @Test func `a length that is lost with the connection is asked for again`() throws {
        let (bench, session) = try full()
        _ = try bench.commands(1, of: session)
        session.close()
        let next = try bench.connect()
        #expect(try bench.commands(1, of: next)[0][0] == "LLEN")
        #expect(bench.events.contains { if case .lost(_, ambiguous: 0, retried: 0, _) = $0 { true } else { false } })
    }

    @Test func `without a limit the length is not asked for`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiter = try bench.pushed(on: session)
        session.send(":4000000000\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 4_000_000_000))
        try bench.linger(milliseconds: 300)
        #expect(session.commandCount == 0 && bench.pool.retryAfter == 1)
    }
}
