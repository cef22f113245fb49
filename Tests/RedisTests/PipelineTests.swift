import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Pushes on a connection that works.
struct PipelineTests {
    @Test func `all pushes of a turn are one write`() throws {
        let bench = try Bench(ScriptedRedis(.loopback))
        let session = try bench.connect()
        let before = session.segments
        try #require(before > 0, "the kernel counts segments")
        for batch in 1...3 {
            for number in 1...40 { bench.push("job \(number)") }
            _ = try bench.commands(40, of: session)
            #expect(session.segments == before + batch)
            session.send(String(repeating: ":1\r\n", count: 40))
            try bench.run { bench.results.count == 40 * batch }
        }
    }

    @Test func `the receiver of a result may push and ask how the pool is`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        _ = try bench.pushed(on: session)
        session.send(":1\r\n")
        bench.onCompletion = { bench in
            bench.onCompletion = nil
            #expect(bench.pool.isUsable && bench.tryPush("from within") == nil)
        }
        #expect(try bench.commands(1, of: session)[0][2] == "from within")
    }

    @Test func `nothing is written before the turn ends`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        bench.push()
        try session.read()
        #expect(session.commandCount == 0)
        bench.endTurn()
        try session.read()
        #expect(session.commandCount == 1)
    }

    @Test func `replies are understood however they are cut`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let names = ["a", "b"]
        let replies = ":1\r\n-NOPERM no\r\n$10\r\nvalue of b\r\n:9223372036854775807\r\n"
        for parts in cuts(of: utf8(replies)) {
            let known = bench.results.count
            bench.push()
            for name in names { bench.push(key: named(name)) }
            bench.push()
            _ = try bench.commands(4, of: session)
            for part in parts {
                session.send(part)
                bench.turn()
            }
            try bench.run { bench.results.count == known + 4 }
            #expect(
                bench.results[known...].map(\.result) == [
                    .queued(depth: 1), .failed(.refused(.misconfigured, word: "NOPERM")), .existing(utf8("value of b")),
                    .queued(depth: .max),
                ])
        }
    }

    @Test func `a named push is the script by its digest`() throws {
        let bench = try Bench { $0.window = 3600 }
        let session = try bench.connect()
        let waiter = bench.push("job", key: named("d1"))
        #expect(
            try bench.commands(1, of: session) == [
                [
                    "EVALSHA", Idempotency.scriptDigest, "2", "enhancement:queue", "{enhancement:queue}:seen:acme:d1",
                    "job",
                    "value of d1", "3600", "0",
                ]
            ])
        session.send(":3\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 3))
    }

    @Test func `without a window a named push is a plain one`() throws {
        let bench = try Bench { $0.window = 0 }
        let session = try bench.connect()
        bench.push("job", key: named("d1"))
        #expect(try bench.commands(1, of: session) == [["LPUSH", "enhancement:queue", "job"]])
    }

    @Test func `as many pushes as allowed wait, and one more is refused`() throws {
        let bench = try Bench { $0.maxPending = 3 }
        let session = try bench.connect()
        for _ in 1...3 { bench.push() }
        #expect(bench.tryPush() == .overloaded)
        _ = try bench.commands(3, of: session)
        session.send(":1\r\n")
        try bench.run { bench.results.count == 1 }
        bench.push()
        #expect(bench.tryPush() == .overloaded)
        #expect(bench.pool.pendingCount == 3)
    }

    @Test func `bytes without a reply are limited`() throws {
        let bench = try Bench()
        let big = String(repeating: "x", count: 1 << 20)
        for _ in 1...32 { bench.push(big) }
        #expect(bench.pool.pendingBytes > DeliveryPolicy.pendingBytesLimit)
        #expect(bench.tryPush("small") == .overloaded)
        let redis = bench.redis
        redis.answer = { _, command in command[0] == "PING" ? "+PONG\r\n" : command[0] == "LPUSH" ? ":1\r\n" : "+OK\r\n"
        }
        try bench.run { bench.results.count == 32 }
        #expect(bench.pool.pendingBytes == 0 && bench.pool.pendingCount == 0)
        bench.push("small")
    }

    @Test func `answered commands are not kept, however long the connection lives`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let job = String(repeating: "y", count: 10_000)
        // Never idle: there is always one push without its reply.
        var waiters = [try bench.pushed(job, on: session)]
        for _ in 1...100 {
            waiters.append(try bench.pushed(job, on: session))
            session.send(":1\r\n")
            try bench.run { bench.results.count == waiters.count - 1 }
        }
        let connection = try #require(bench.pool.machine.lanes[0])
        #expect(connection.written > 1_000_000 && connection.output.count < 200_000)
    }
}
