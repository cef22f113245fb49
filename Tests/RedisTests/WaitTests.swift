import EventLoop
import TestSupport
import Testing

@testable import Redis

@Suite struct WaitTests {
    private func rig() throws -> Rig {
        let redis = try ScriptedRedis()
        let rig = try Rig(redis) {
            $0.waitReplicas = 1
            $0.waitMilliseconds = 50
        }
        rig.ready()
        rig.push("a", 1)
        rig.push("b", 2)
        #expect(rig.turns { redis.pushes().count == 3 })
        for _ in 0..<5 { rig.turn() }
        return rig
    }

    @Test func aBatchHasOneWaitAndNoResultBeforeItsReply() throws {
        let rig = try rig()
        #expect(rig.redis.pushes()[2] == [utf8("WAIT"), utf8("1"), utf8("50")])
        #expect(rig.results.isEmpty)
        rig.redis.send(":1\r\n")
        #expect(rig.turns { rig.results.count == 2 })
        #expect(rig.results.map(\.result) == [.queued(depth: 1), .queued(depth: 2)])
    }

    @Test func tooFewAcknowledgementsFailTheBatch() throws {
        let rig = try rig()
        rig.redis.send(":0\r\n")
        #expect(rig.turns { rig.results.count == 2 })
        #expect(rig.results.allSatisfy { $0.result == .failed(.notReplicated(acknowledged: 0)) })
    }

    @Test func aLossBeforeTheReplyIsAmbiguous() throws {
        let rig = try rig()
        rig.redis.hangUp(0)
        #expect(rig.turns { rig.results.count == 2 })
        #expect(rig.results.allSatisfy { $0.result == .failed(.ambiguous) })
        #expect(rig.pool.pendingCount == 0)
    }
}

@Suite struct QueueDepthTests {
    @Test func theDepthLimitRefusesUntilLlenTellsOfRoom() throws {
        let redis = try ScriptedRedis()
        let rig = try Rig(redis) { $0.maxDepth = 2 }
        rig.ready()
        rig.push("a", 1)
        rig.push("b", 2)
        #expect(rig.turns { rig.results.count == 2 })
        #expect(rig.push("c", 3) == .queueFull)
        #expect(rig.turns { redis.pushes().last?.first == utf8("LLEN") })
        redis.send(":1\r\n")
        #expect(rig.turns { rig.push("d", 4) == nil })
    }

    @Test func theDrainRateTellsWhenToComeAgain() {
        var depth = QueueDepth()
        let start = Instant(nanoseconds: 1_000_000_000)
        #expect(depth.secondsUntil(10) == 30)
        depth.measure(1000, at: start)
        depth.measure(900, at: start + .seconds(1))
        #expect(depth.drainRate == 100)
        #expect(depth.secondsUntil(500) == 5)
        #expect(depth.secondsUntil(2000) == 1)
    }
}
