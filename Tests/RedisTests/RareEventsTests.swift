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
}
