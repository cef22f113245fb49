import EventLoop
import TestSupport
import Testing

@testable import Redis

@Suite struct PoolTests {
    @Test func lpushIsCalledWithTheQueueAndTheJob() throws {
        let rig = try Rig(ScriptedRedis())
        rig.ready()
        rig.push(#"{"job_id":"1"}"#)
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.redis.pushes() == [[utf8("LPUSH"), utf8("enhancement:queue"), utf8(#"{"job_id":"1"}"#)]])
        #expect(rig.result() == .queued(depth: 1))
    }

    @Test func severalPushesGoInOneWriteAndCompleteInOrder() throws {
        let rig = try Rig(ScriptedRedis())
        rig.ready()
        for waiter in 1...50 { rig.push("job \(waiter)", UInt64(waiter)) }
        #expect(rig.turns { rig.results.count == 50 })
        #expect(rig.redis.pushes().map { $0[2] } == (1...50).map { utf8("job \($0)") })
        #expect(rig.results.map(\.waiter) == Array(1...50))
        #expect(rig.results.map(\.result) == (1...50).map { .queued(depth: $0) })
        #expect(rig.pool.pendingCount == 0 && rig.pool.pendingBytes == 0)
        #expect(rig.redis.accepted == 1)
    }

    @Test func aPushBeforeTheConnectionWaitsForTheGreeting() throws {
        let redis = try ScriptedRedis()
        redis.answersGreeting = false
        let rig = try Rig(redis) {
            $0.address = try! Address("unix://bob:s3cret@\(redis.path)?db=2")
            $0.connectTimeout = .seconds(2)
        }
        rig.push("early")
        rig.turns { redis.names(0).count == 4 }
        for _ in 0..<5 { rig.turn() }
        #expect(redis.names(0) == ["AUTH", "SELECT", "CLIENT", "PING"])
        redis.send("+OK\r\n+OK\r\n+OK\r\n+PONG\r\n")
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .queued(depth: 1))
    }

    @Test(arguments: [
        "-WRONGPASS no\r\n", "-NOAUTH log in\r\n", "-LOADING wait\r\n", "-ERR max number of clients reached\r\n",
    ])
    func aGreetingThatIsRefusedIsNoConnection(reply: String) throws {
        let redis = try ScriptedRedis()
        redis.greetingReply = { $0 == "PING" ? reply : "+OK\r\n" }
        let rig = try Rig(redis)
        rig.push("job")
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .failed(.notConnected))
        #expect(redis.pushes().isEmpty)
        #expect(!rig.pool.isUsable)
    }

    @Test func aUserWithoutTheRightToPingMayPush() throws {
        let redis = try ScriptedRedis()
        redis.greetingReply = { _ in "-NOPERM this user has no permissions\r\n" }
        let rig = try Rig(redis)
        rig.ready()
    }

    @Test func repliesMayComeByteByByte() throws {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis) { $0.replyTimeout = .seconds(2) }
        rig.ready()
        rig.push("a", 1)
        rig.push("b", 2)
        rig.turns { redis.pushes().count == 2 }
        for byte in ":41\r\n:42\r\n" {
            redis.send(String(byte))
            rig.turn()
        }
        #expect(rig.turns { rig.results.count == 2 })
        #expect(rig.results.map(\.result) == [.queued(depth: 41), .queued(depth: 42)])
    }

    @Test func connectionRefusedFailsAfterTheAttemptsAndOpensTheBreaker() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        let rig = try Rig(redis)
        rig.push("job")
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .failed(.notConnected))
        #expect(rig.push("next", 2) == .breakerOpen)
        #expect(rig.events.count == 2)
        #expect(rig.events.contains { if case .breakerOpened = $0 { true } else { false } })
        try redis.listen()
        let start = Instant.now
        #expect(rig.turns { rig.pool.isUsable })
        #expect(Instant.now.since(start) < 1_000_000_000)
        #expect(rig.events.contains(.breakerClosed))
        #expect(rig.push("again", 3) == nil)
        #expect(rig.turns { rig.result(3) != nil })
    }

    @Test func aPushIsTriedAgainWhenRedisComesBackInTime() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        let rig = try Rig(redis) {
            $0.attempts = 20
            $0.pushDeadline = .seconds(2)
        }
        rig.push("job")
        for _ in 0..<20 { rig.turn() }
        #expect(rig.result() == nil)
        try redis.listen()
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .queued(depth: 1))
    }

    @Test func noReplyIsAmbiguousAndNeverRepeated() throws {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis)
        rig.ready()
        rig.push("job")
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .failed(.ambiguous))
        rig.turns { redis.accepted == 2 }
        for _ in 0..<20 { rig.turn() }
        #expect(redis.pushes(0).count == 1)
        #expect(redis.pushes(1).isEmpty)
    }

    @Test func aMarkedPushIsRepeatedAfterALoss() throws {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis)
        rig.ready()
        rig.push("job", mark: sampleMark)
        rig.turns { redis.pushes().count == 1 }
        redis.answersPushes = true
        redis.hangUp(0)
        #expect(rig.turns { rig.result() != nil })
        #expect(redis.pushes(0) == redis.pushes(1))
        #expect(rig.results.count == 1)
    }

    @Test func aRepeatThatFailsDoesNotHideThatTheFirstMayHaveHappened() throws {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis)
        rig.ready()
        rig.push("job", mark: sampleMark)
        rig.turns { redis.pushes().count == 1 }
        redis.stop()
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .failed(.ambiguous))
    }

    @Test func everyPushIsAnsweredByItsOwnDeadline() throws {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis) {
            $0.pushDeadline = .milliseconds(100)
            $0.replyTimeout = .seconds(30)
        }
        rig.ready()
        rig.push("first", 1)
        rig.turn()
        let middle = Instant.now + .milliseconds(50)
        rig.turns { Instant.now >= middle }
        rig.push("second", 2)
        #expect(rig.turns { rig.results.count == 2 })
        #expect(rig.results.allSatisfy { $0.result == .failed(.ambiguous) })
        #expect(redis.accepted == 1)
        redis.send(":1\r\n:2\r\n")
        rig.push("third", 3)
        redis.answersPushes = true
        #expect(rig.turns { rig.result(3) != nil })
    }

    @Test func aReplyToWhatWasNotSentYetIsNoReply() throws {
        let redis = try ScriptedRedis()
        let rig = try Rig(redis) { $0.maxConnections = 1 }
        rig.ready()
        redis.isDeaf = true
        for waiter in 1...12 { rig.push(String(repeating: "x", count: 100_000), UInt64(waiter)) }
        rig.turn()
        redis.send(String(repeating: ":1\r\n", count: 12))
        #expect(
            rig.turns { rig.results.count >= 1 && rig.events.contains { if case .lost = $0 { true } else { false } } })
        #expect(!rig.results.contains { $0.waiter == 12 && $0.result == .queued(depth: 1) })
    }

    @Test func theDeadlineAnswersAPushThatIsStillWaiting() throws {
        let redis = try ScriptedRedis()
        redis.answersGreeting = false
        let rig = try Rig(redis) {
            $0.connectTimeout = .seconds(60)
            $0.pushDeadline = .milliseconds(60)
        }
        rig.push("job")
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .failed(.timedOut))
    }

    @Test func oneMoreThanMayWaitIsRefused() throws {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis) { $0.maxPending = 3 }
        rig.ready()
        for waiter in 1...3 { #expect(rig.push("job", UInt64(waiter)) == nil) }
        #expect(rig.push("job", 4) == .overloaded)
    }

    @Test func anotherConnectionIsOpenedOnlyWhenTheFirstTakesNoMore() throws {
        let redis = try ScriptedRedis()
        let rig = try Rig(redis) {
            $0.replyTimeout = .seconds(5)
            $0.connectTimeout = .seconds(5)
            $0.pushDeadline = .seconds(5)
            $0.maxConnections = 3
        }
        rig.ready()
        redis.isDeaf = true
        let large = String(repeating: "x", count: 100_000)
        for waiter in 1...12 {
            rig.push(large, UInt64(waiter))
            rig.turn()
        }
        #expect(rig.pool.connectionCounts.connecting == 1)
        redis.isDeaf = false
        #expect(rig.turns { rig.results.count == 12 })
        #expect(redis.accepted == 2)
    }

    @Test(arguments: [":1\r\n:2\r\n", "+OK\r\n", ":0\r\n", "hello\r\n", "$3\r\nabc\r\n", "*0\r\n"])
    func whatTheCommandCannotBeAnsweredClosesTheConnection(reply: String) throws {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis)
        rig.ready()
        rig.push("job")
        rig.turns { redis.pushes().count == 1 }
        redis.send(reply)
        #expect(rig.turns { rig.events.contains { if case .lost = $0 { true } else { false } } })
        #expect(rig.turns { redis.accepted == 2 })
        #expect(rig.results.count == 1)
    }

    @Test func aServerThatHangsUpOnEverybodyIsNotDialledInACircle() throws {
        let redis = try ScriptedRedis()
        let rig = try Rig(redis)
        let end = Instant.now + .milliseconds(350)
        while Instant.now < end {
            if rig.pool.isUsable { redis.hangUp(redis.accepted - 1) }
            rig.turn()
        }
        #expect((2...5).contains(redis.accepted))
    }

    @Test func aHostThatCannotBeResolvedIsAFailureToConnect() throws {
        let rig = try Rig(ScriptedRedis()) { $0.address = try! Address("redis://no-such-host.invalid:6379") }
        rig.push("job")
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .failed(.notConnected) || rig.result() == .failed(.timedOut))
    }

    /// However connections break, a push completes once, and no connection is one too many.
    @Test(arguments: 1...6) func everyPushCompletesOnceWhateverBreaks(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let redis = try ScriptedRedis()
        let rig = try Rig(redis) { $0.maxConnections = 2 }
        var pushed: UInt64 = 0
        for _ in 0..<400 {
            if random.next() % 2 == 0 {
                pushed += 1
                let mark = random.next() % 2 == 0 ? sampleMark : nil
                if rig.push("job \(pushed)", pushed, mark: mark) != nil { pushed -= 1 }
            }
            if random.next() % 20 == 0 { redis.answersPushes.toggle() }
            if random.next() % 15 == 0, redis.accepted > 0 { redis.hangUp(Int(random.next() % UInt64(redis.accepted))) }
            rig.turn()
            let counts = rig.pool.connectionCounts
            #expect(counts.ready + counts.busy + counts.connecting <= 2)
        }
        redis.answersPushes = true
        #expect(rig.turns { UInt64(rig.results.count) == pushed })
        #expect(Set(rig.results.map(\.waiter)).count == rig.results.count)
        #expect(rig.pool.pendingCount == 0 && rig.pool.pendingBytes == 0)
    }
}
