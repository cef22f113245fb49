import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// The original requirements of the queue, one by one.
struct AcceptanceTests {
    @Test(arguments: [ScriptedRedis.Place.unix, .loopback])
    func `a push is LPUSH with the queue's key and the JSON`(place: ScriptedRedis.Place) throws {
        let bench = try Bench(ScriptedRedis(place))
        let session = try bench.connect()
        let greeting = session.received.count
        let json = #"{"job_id":"7f1c3d0a-5b1e-4c59-9d43-0a4f6a1b2c3d","description":"Drucker é 😀\n\"x\""}"#
        let waiter = try bench.pushed(json, on: session)
        #expect(Array(session.received[greeting...]) == resp("LPUSH", "enhancement:queue", json))
        #expect(bench.result(of: waiter) == nil)
        session.send(":7\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 7))
        #expect(bench.pool.depth == 7)
    }

    @Test func `the queue's key is a setting`() throws {
        let bench = try Bench { $0.queue = "other {queue}" }
        let session = try bench.connect()
        bench.push("x")
        #expect(try bench.commands(1, of: session) == [["LPUSH", "other {queue}", "x"]])
    }

    @Test func `an error reply is a refusal that names its first word alone`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiter = try bench.pushed(on: session)
        session.send("-WRONGTYPE Operation against a key holding 'job' of the wrong kind of value\r\n")
        #expect(try bench.await(waiter) == .failed(.refused(.misconfigured, word: "WRONGTYPE")))
        #expect(!bench.events.contains { "\($0)".contains("holding") })
    }

    @Test func `connections that are refused fail a push after as many attempts as are allowed`() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        let bench = try Bench(redis) { $0.attempts = 3 }
        let waiter = bench.push()
        #expect(try bench.await(waiter) == .failed(.notConnected))
        #expect(bench.dialFailures.count == 1, "one line, not one for each attempt")
    }

    @Test func `a reply that does not come in time is ambiguous and closes the connection`() throws {
        let bench = try Bench { $0.replyTimeout = .milliseconds(80) }
        let session = try bench.connect()
        let start = Instant.now
        let waiter = try bench.pushed(on: session)
        #expect(try bench.await(waiter) == .failed(.ambiguous))
        #expect(Instant.now.since(start) >= 79_000_000)
        try bench.run { session.isAbandoned }
        #expect(bench.lossReasons == ["no reply from Redis in time"])
    }

    @Test func `several pushes are queued first in, first out`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiters = (1...50).map { bench.push("job \($0)") }
        let commands = try bench.commands(50, of: session)
        #expect(commands.map { $0[2] } == (1...50).map { "job \($0)" })
        session.send((1...50).map { ":\($0)\r\n" }.joined())
        #expect(try bench.await(waiters[49]) == .queued(depth: 50))
        #expect(bench.results.map(\.waiter) == waiters)
        #expect(bench.results.map(\.result) == (1...50).map { .queued(depth: $0) })
    }
}
