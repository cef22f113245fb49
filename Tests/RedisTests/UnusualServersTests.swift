import EventLoop
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Servers and transports that do what is seldom done.
struct UnusualServersTests {
    @Test func `a server that hangs up on WAIT opens the breaker`() throws {
        let bench = try FakeBench {
            $0.waitReplicas = 1
            $0.waitMilliseconds = 100
        }
        let waiter = bench.push("a")
        var seen = 0
        for _ in 0..<5000 {
            bench.pass(milliseconds: 1)
            guard bench.network.connections.count > seen, let next = bench.network.connections.last else { continue }
            seen = bench.network.connections.count
            bench.greet(next)
            next.isBroken = true
            bench.event(next)
        }
        #expect(bench.pool.breakerState != .closed)
        #expect(bench.results[waiter] != nil, "\(seen) connections, \(bench.events.count) lines in the log")
    }

    @Test func `the kernel's share is known though nothing more is to be sent`() throws {
        let bench = try FakeBench()
        let first = try bench.connect()
        // It takes all of the push, and gives it to the kernel a little later.
        first.heldBack = 10
        let waiter = bench.push("once")
        bench.event(first, .writable)
        bench.reply(":1\r\n", on: first)
        #expect(bench.results[waiter] == .queued(depth: 1))
        if first.isClosed { #expect(try bench.connect().count(of: "once") == 0, "it is pushed twice") }
    }

    @Test func `a loss counts what the kernel got later`() throws {
        let bench = try FakeBench()
        let first = try bench.connect()
        first.heldBack = 10
        let waiter = bench.push("once")
        bench.event(first, .writable)
        first.isBroken = true
        bench.event(first, .readable)
        #expect(bench.results[waiter] == .failed(.ambiguous))
    }

    @Test func `nothing is written while Redis refuses WAIT`() throws {
        let bench = try FakeBench {
            $0.waitReplicas = 1
            $0.waitMilliseconds = 100
        }
        let first = try bench.connect()
        bench.reply(":0\r\n", on: first)
        bench.push("a", key: named("a"))
        bench.push("b", key: named("b"))
        let second = try bench.connect()
        bench.reply(":0\r\n", on: second)
        #expect(second.count(of: "\r\nb\r\n") == 1)
        // Free again, so that the next push goes to it.
        bench.reply(":1\r\n:1\r\n", on: second)
        second.room = 0
        bench.push("d")
        bench.reply(":1\r\n-NOPERM wait\r\n", on: first)
        #expect(bench.pool.breakerState == .lackingRights)
        second.isBroken = true
        bench.event(second)
        bench.pass(milliseconds: 50)
        #expect(first.count(of: "\r\nd\r\n") == 0)
    }

    @Test func `a push that met a replica is tried on a new connection`() throws {
        let bench = try FakeBench()
        var lanes = [try bench.connect()]
        // Three connections to the primary.
        for number in 1...2 {
            lanes.last!.room = 0
            bench.push("fills \(number)", key: named("f\(number)"))
            bench.push("asks for another \(number)", key: named("g\(number)"))
            bench.pass(milliseconds: 150)
            lanes.append(try bench.connect())
        }
        for lane in lanes {
            lane.room = .max
            bench.event(lane, .writable)
            bench.reply(String(repeating: ":1\r\n", count: lane.count(of: "EVALSHA")), on: lane)
        }
        bench.pass(milliseconds: 10)
        #expect(bench.pool.connectionCounts.ready == 3 && bench.pool.pendingCount == 0)
        // It is demoted; the name leads to the new primary by now.
        let waiter = bench.push("a", key: named("a"))
        let seen = bench.network.connections.count
        var answered: [ObjectIdentifier: Int] = [:]
        for lane in lanes {
            answered[ObjectIdentifier(lane)] = lane.count(of: "EVALSHA") - (lane.count(of: "named a") > 0 ? 1 : 0)
        }
        answered[ObjectIdentifier(lanes[0])]! -= lanes[0].count(of: "value of a") > 0 ? 1 : 0
        for _ in 0..<3000 {
            for lane in lanes where !lane.isClosed && lane.count(of: "EVALSHA") > answered[ObjectIdentifier(lane)]! {
                answered[ObjectIdentifier(lane)]! = lane.count(of: "EVALSHA")
                bench.reply("-READONLY You can't write against a read only replica.\r\n", on: lane)
            }
            bench.pass(milliseconds: 1)
            if bench.network.connections.count > seen { break }
        }
        #expect(bench.results[waiter] == nil, "\(String(describing: bench.results[waiter])), \(bench.events.suffix(4))")
    }
}
