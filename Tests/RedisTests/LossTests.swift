import DequeModule
import EventLoop
import Glibc
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Connections that break under pushes.
struct LossTests {
    /// Pushes until the kernel takes no more. Returns the waiters, and how many pushes the kernel has whole.
    private func clog(_ bench: Bench, _ session: Session, isNamed: Bool = false) throws -> (
        waiters: [UInt64], whole: Int
    ) {
        session.isReading = false
        let job = String(repeating: "z", count: 60_000)
        let waiters = (1...12).map { bench.push("\($0) \(job)", key: isNamed ? named("\($0)") : nil) }
        bench.turn()
        let connection = try #require(bench.pool.machine.lanes[0])
        #expect(connection.isBlocked)
        let whole = (0..<12).count { connection.inFlight[$0].end <= connection.written }
        try #require((1..<11).contains(whole), "some are written, some are not")
        return (waiters, whole)
    }

    @Test func `only pushes that were not written whole are pushed again`() throws {
        let bench = try Bench { $0.maxConnections = 1 }
        let first = try bench.connect()
        let (waiters, whole) = try clog(bench, first)
        first.close()
        let second = try bench.connect()
        let commands = try bench.commands(12 - whole, of: second)
        #expect(commands.map { $0[2].prefix(3) } == (whole + 1...12).map { "\($0) z".prefix(3) })
        second.send((1...12 - whole).map { ":\($0)\r\n" }.joined())
        for (index, waiter) in waiters.enumerated() {
            let result = try bench.await(waiter)
            #expect(result == (index < whole ? .failed(.ambiguous) : .queued(depth: index - whole + 1)))
        }
        // Bytes that nobody had read are thrown away with the connection.
        #expect(bench.events.contains(.lost(.receive(ECONNRESET), ambiguous: whole, retried: 12 - whole)))
        try bench.linger()
        #expect(second.commandCount == 0, "nothing is repeated")
    }

    @Test func `a named push is pushed again and has one result`() throws {
        let bench = try Bench { $0.maxConnections = 1 }
        let first = try bench.connect()
        let (waiters, whole) = try clog(bench, first, isNamed: true)
        first.close()
        let second = try bench.connect()
        let commands = try bench.commands(12, of: second)
        #expect(commands.allSatisfy { $0[0] == "EVALSHA" })
        #expect(commands.map { $0[5].prefix(3) } == (1...12).map { "\($0) z".prefix(3) })
        second.send((1...12).map { $0 <= whole ? "$1\r\nv\r\n" : ":\($0)\r\n" }.joined())
        for (index, waiter) in waiters.enumerated() {
            #expect(try bench.await(waiter) == (index < whole ? .existing([0x76]) : .queued(depth: index + 1)))
        }
        #expect(bench.results.map(\.waiter) == waiters)
        #expect(bench.pool.pendingCount == 0 && bench.pool.pendingBytes == 0)
    }

    @Test func `replies before the loss count`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiters = (1...3).map { bench.push("\($0)") }
        _ = try bench.commands(3, of: session)
        session.send(":1\r\n:2\r\n:")
        session.close()
        #expect(try bench.await(waiters[2]) == .failed(.ambiguous))
        #expect(bench.results.map(\.result) == [.queued(depth: 1), .queued(depth: 2), .failed(.ambiguous)])
    }

    /// The turn ends with a write, before the loop has told that there is something to read.
    @Test func `replies are read though the connection cannot be written to`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let answered = try bench.pushed("a", on: session)
        session.send(":1\r\n")
        session.close()
        let unwritten = bench.push("b")
        bench.endTurn()
        #expect(bench.result(of: answered) == .queued(depth: 1))
        #expect(bench.result(of: unwritten) == nil)
        let next = try bench.connect()
        #expect(try bench.commands(1, of: next) == [["LPUSH", "enhancement:queue", "b"]])
    }

    @Test func `a named push fails after as many lost connections as are allowed`() throws {
        let bench = try Bench { $0.attempts = 3 }
        let waiter = bench.push(key: named("d"))
        for _ in 1...3 {
            #expect(bench.result(of: waiter) == nil)
            let session = try bench.connect()
            _ = try bench.commands(1, of: session)
            session.close()
        }
        #expect(try bench.await(waiter) == .failed(.ambiguous))
    }

    @Test func `a named push that may have happened stays ambiguous whatever comes later`() throws {
        let bench = try Bench { $0.attempts = 4 }
        let session = try bench.connect()
        let lost = try bench.pushed(key: named("d"), on: session)
        bench.redis.stop()
        session.close()
        #expect(try bench.await(lost) == .failed(.ambiguous), "not: it did not happen")
    }

    @Test func `a refusal of the second attempt says nothing about the first`() throws {
        let bench = try Bench()
        let first = try bench.connect()
        let waiter = try bench.pushed(key: named("d"), on: first)
        first.close()
        let second = try bench.connect()
        _ = try bench.commands(1, of: second)
        second.send("-OOM command not allowed when used memory > 'maxmemory'.\r\n")
        #expect(try bench.await(waiter) == .failed(.ambiguous))
        #expect(bench.breakerChanges == [true])
    }

    @Test func `a push is tried again until Redis is back`() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        let bench = try Bench(redis) { $0.attempts = 1000 }
        let waiter = bench.push()
        try bench.linger(milliseconds: 100)
        #expect(bench.result(of: waiter) == nil)
        try redis.start()
        let session = try bench.connect()
        _ = try bench.commands(1, of: session)
        session.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        #expect(bench.dialFailures.count == 1 && bench.breakerChanges.isEmpty)
    }

    @Test func `an idle connection that Redis closes is made again`() throws {
        let bench = try Bench { $0.retryDelay = .seconds(30) }
        let first = try bench.connect()
        first.close()
        let second = try bench.connect()
        #expect(bench.events.last == .connected(isFirst: false))
        let waiter = try bench.pushed(on: second)
        second.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test func `a server that hangs up after every greeting is not dialled in a tight loop`() throws {
        let redis = try ScriptedRedis()
        redis.answer = { session, command in
            guard command[0] == "PING" else { return "+OK\r\n" }
            session.send("+PONG\r\n")
            session.close()
            return nil
        }
        let bench = try Bench(redis) { $0.retryDelay = .milliseconds(80) }
        try bench.linger(milliseconds: 400)
        #expect((2...6).contains(redis.sessions.count), "one in 80 ms, not thousands")
    }
}
