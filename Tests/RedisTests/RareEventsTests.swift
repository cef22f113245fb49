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
}
