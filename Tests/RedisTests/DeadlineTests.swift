import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

struct DeadlineTests {
    private func milliseconds(since start: Instant) -> UInt64 { Instant.now.since(start) / 1_000_000 }

    @Test func `a push that finds no connection times out at its deadline`() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        let bench = try Bench(redis) {
            $0.pushDeadline = .milliseconds(80)
            $0.retryDelay = .seconds(20)
        }
        let start = Instant.now
        let waiter = bench.push()
        #expect(try bench.await(waiter) == .failed(.timedOut))
        #expect(milliseconds(since: start) >= 75)
        #expect(bench.pool.pendingCount == 0 && bench.pool.pendingBytes == 0)
    }

    @Test func `a push without its reply is ambiguous at its deadline, and the late reply is not taken for another`()
        throws
    {
        let bench = try Bench { $0.pushDeadline = .milliseconds(60) }
        let session = try bench.connect()
        let late = try bench.pushed("late", on: session)
        #expect(try bench.await(late) == .failed(.ambiguous))
        #expect(bench.pool.pendingCount == 0 && !session.isAbandoned)
        let next = try bench.pushed("next", on: session)
        session.send(":1\r\n:2\r\n")
        #expect(try bench.await(next) == .queued(depth: 2))
        #expect(bench.results.count == 2)
    }

    /// Whether the kernel has its bytes or not: they will be sent.
    @Test func `a push behind a full socket is ambiguous at its deadline`() throws {
        let bench = try Bench {
            $0.pushDeadline = .milliseconds(80)
            $0.maxConnections = 1
        }
        let session = try bench.connect()
        session.isReading = false
        let waiters = (1...12).map { bench.push("\($0)" + String(repeating: "z", count: 60_000)) }
        for waiter in waiters { #expect(try bench.await(waiter) == .failed(.ambiguous)) }
        session.isReading = true
        #expect(try bench.commands(12, of: session).count == 12, "and so it may happen")
    }

    @Test func `every push has its own deadline`() throws {
        let bench = try Bench { $0.pushDeadline = .milliseconds(200) }
        let session = try bench.connect()
        let first = try bench.pushed("first", on: session)
        let start = Instant.now
        try bench.linger(milliseconds: 100)
        let second = try bench.pushed("second", on: session)
        #expect(try bench.await(first) == .failed(.ambiguous))
        #expect(bench.result(of: second) == nil)
        #expect(try bench.await(second) == .failed(.ambiguous))
        #expect((290..<1000).contains(milliseconds(since: start)), "not only when the first one's reply is overdue")
    }

    /// A push that was tried again is behind younger ones, but has the earlier deadline.
    @Test func `deadlines hold in whatever order pushes are on the connection`() throws {
        let bench = try Bench { $0.pushDeadline = .milliseconds(600) }
        let session = try bench.connect()
        let old = try bench.pushed("old", on: session)
        try bench.linger(milliseconds: 300)
        let start = Instant.now
        session.send("-LOADING wait\r\n")
        try bench.run { bench.pool.machine.waiting.items.count == 1 }
        let young = bench.push("young")
        #expect(try bench.commands(2, of: session).map { $0[2] } == ["young", "old"])
        #expect(try bench.await(old) == .failed(.ambiguous))
        #expect(bench.result(of: young) == nil && milliseconds(since: start) < 550)
    }

    @Test func `younger pushes do not put off the reply timeout of the oldest`() throws {
        let bench = try Bench { $0.replyTimeout = .milliseconds(200) }
        let session = try bench.connect()
        let start = Instant.now
        let first = try bench.pushed("1", on: session)
        // Younger pushes and their replies do not put the first one's time off.
        for number in 2...5 {
            try bench.linger(milliseconds: 30)
            bench.push("\(number)")
        }
        #expect(try bench.await(first) == .failed(.ambiguous))
        #expect((199..<320).contains(milliseconds(since: start)))
        #expect(bench.results.count == 5, "the others were written too")
    }

    @Test func `a reply in time leaves no timeout behind`() throws {
        let bench = try Bench { $0.replyTimeout = .milliseconds(100) }
        let session = try bench.connect()
        for number in 1...4 {
            let waiter = try bench.pushed(on: session)
            session.send(":\(number)\r\n")
            #expect(try bench.await(waiter) == .queued(depth: number))
            try bench.linger(milliseconds: 40)
        }
        #expect(!session.isAbandoned && bench.lossReasons.isEmpty)
    }
}
