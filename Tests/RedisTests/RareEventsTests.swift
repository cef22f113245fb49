import EventLoop
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Events in an order in which they come seldom.
struct RareEventsTests {
    @Test func `a dial that fails at once is tried again though nothing else happens`() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        let loop = try EventLoop()
        let pool = Pool(to: try Address(redis.url), policy: DeliveryPolicy(queue: "q"), over: LoopNetwork(loop))
        // As the responder does before its first turn.
        #expect(pool.takeEvents().count == 1)
        _ = loop.wait(until: .now + .seconds(1.5))
        #expect(loop.due() != nil)
    }

    @Test(arguments: [false, true])
    func `MOVED gives up a dial to another node`(isForAsked: Bool) throws {
        let bench = try FakeBench()
        let first = try bench.connect()
        first.room = 0
        bench.push("a", key: named("a"))
        bench.push("b", key: named("b"))
        if isForAsked {
            try bench.connect()
            first.room = .max
            bench.event(first, .writable)
            bench.reply("-ASK 1 127.0.0.1:7001\r\n", on: first)
            bench.pass(milliseconds: 200)
        } else {
            first.room = .max
            bench.event(first, .writable)
        }
        let slow = try #require(bench.network.connections.last)
        #expect(slow.target == target(isForAsked ? 7001 : 6379) && slow !== first)
        bench.reply("-MOVED 1 127.0.0.1:7000\r\n", on: first)
        bench.pass(milliseconds: 1)
        #expect(slow.isClosed && bench.network.connections.last?.target == target(7000))
    }

    @Test func `with room for one connection two nodes do not take turns in a tight loop`() throws {
        let bench = try FakeBench { $0.maxConnections = 1 }
        let first = try bench.connect()
        let waiter = bench.push("a", key: named("a"))
        bench.reply("-ASK 1 127.0.0.1:7000\r\n", on: first)
        // Whoever is dialled greets at once, and the node that is asked says TRYAGAIN.
        var seen = 1
        for _ in 0..<2000 {
            bench.pass(milliseconds: 1)
            guard bench.network.connections.count > seen, let next = bench.network.connections.last else { continue }
            seen = bench.network.connections.count
            bench.greet(next)
            if next.sent.text.contains("ASKING") { bench.reply("+OK\r\n-TRYAGAIN not yet\r\n", on: next) }
        }
        #expect(bench.network.connections.count <= 21, "in 2 s, 100 ms between them")
        #expect(bench.results[waiter] == nil)
    }

    @Test func `a replica that refuses WAIT has no objection to the user's rights`() throws {
        let bench = try FakeBench {
            $0.waitReplicas = 1
            $0.waitMilliseconds = 100
        }
        let first = try bench.connect()
        bench.reply("-NOPERM this user has no permissions to run the 'wait' command\r\n", on: first)
        #expect(bench.pool.breakerState == .lackingRights)
        // The right is granted, and the server becomes a replica. Redis keeps its connections then.
        bench.pass(milliseconds: 3001)
        #expect(first.count(of: "WAIT") == 2)
        bench.reply("-ERR WAIT cannot be used with replica instances.\r\n", on: first)
        #expect(bench.pool.breakerState == .closed, "pushes meet READONLY, and that leads to another connection")
        bench.push("a")
        bench.reply("-READONLY You can't write against a read only replica.\r\n", on: first)
        #expect(try bench.dialled() !== first)
    }

    @Test func `who answers a greeting that it has in part is no Redis`() throws {
        let bench = try FakeBench()
        bench.push("a")
        let first = try bench.dialled()
        first.room = 5
        bench.event(first, .writable)
        bench.reply("+OK\r\n+PONG\r\n", on: first)
        #expect(first.isClosed && first.count(of: "LPUSH") == 0)
        #expect(bench.events.contains(.dialFailed(DialFailure(cause: .unrequestedReply, redirectedTo: nil))))
    }

    @Test func `a server that hangs up without CLIENT SETNAME too is greeted with it again`() throws {
        let bench = try FakeBench { $0.attempts = 10 }
        for hangUp in 0..<4 {
            let next = try bench.dialled()
            bench.event(next, .writable)
            #expect((next.count(of: "SETNAME") == 1) == (hangUp % 2 == 0), "greeting \(hangUp)")
            next.isBroken = true
            bench.event(next)
        }
    }

    @Test func `a transport that has input and cannot give it yet is not asked in a circle`() throws {
        let bench = try FakeBench()
        let first = try bench.connect()
        let waiter = bench.push("a")
        first.claims = 1000
        bench.reply(":1\r\n", on: first)
        #expect(bench.results[waiter] == .queued(depth: 1) && first.claims > 990)
    }

    @Test func `many redirections at once take time in proportion`() throws {
        func seconds(_ count: Int) throws -> Double {
            let bench = try FakeBench()
            let first = try bench.connect()
            for number in 0..<count { bench.push("\(number)", endsTurn: false) }
            bench.turn()
            for _ in 0..<count { first.arrive("-ASK 1 127.0.0.1:7000\r\n") }
            let start = Instant.now
            bench.event(first)
            return Double(Instant.now.since(start)) / 1e9
        }
        // A quarter of the pushes, and a sixteenth of the time where each looks at all that wait.
        let (few, many) = (try seconds(1000), try seconds(4000))
        #expect(many < 9 * few, "\(few) s and \(many) s")
    }

    @Test func `a turn without a connection does not look at all that waits`() throws {
        func seconds(_ count: Int) throws -> Double {
            let bench = try FakeBench { $0.maxConnections = 100 }
            for number in 0..<count { bench.push("\(number)", endsTurn: false) }
            let start = Instant.now
            for _ in 0..<20 { bench.turn() }
            return Double(Instant.now.since(start)) / 1e9
        }
        let (few, many) = (try seconds(100), try seconds(4000))
        #expect(many < 9 * few, "\(few) s and \(many) s")
    }

    @Test func `a push that has waited beyond its deadline is not sent`() throws {
        let bench = try FakeBench { $0.pushDeadline = .milliseconds(50) }
        let first = try bench.dialled()
        bench.event(first, .writable)
        let waiter = bench.push("late")
        // The process was stopped for a while. A turn takes its events before its timers.
        bench.network.now = bench.network.now + .milliseconds(60)
        bench.reply("+OK\r\n+PONG\r\n", on: first)
        bench.pass(milliseconds: 1)
        #expect(first.count(of: "late") == 0 && bench.results[waiter] == .failed(.timedOut))
    }

    @Test func `a dial to a node that was asked makes way for the queue's`() throws {
        let bench = try FakeBench()
        let first = try bench.connect()
        bench.push("a", key: named("a"))
        bench.reply("-ASK 1 127.0.0.1:7000\r\n", on: first)
        bench.pass(milliseconds: 200)
        let slow = try #require(bench.network.connections.last)
        #expect(slow.target == target(7000))
        first.isBroken = true
        bench.event(first)
        bench.pass(milliseconds: 1)
        #expect(slow.isClosed && bench.network.connections.last?.target == target(6379))
        try bench.connect()
        bench.pass(milliseconds: 200)
        #expect(bench.network.connections.last?.target == target(7000), "dialled after it")
    }
}
