import EventLoop
import TestSupport
import Testing

@testable import Redis

/// The failure table, a row each: as a pure function, and through the pool.
@Suite struct ErrorReplyTests {
    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", ErrorReply.tryAgain), ("BUSY Redis is busy", .tryAgain),
        ("TRYAGAIN Multiple keys", .tryAgain), ("MASTERDOWN Link with MASTER is down", .tryAgain),
        ("CLUSTERDOWN The cluster is down", .tryAgain), ("READONLY You can't write", .notPrimary),
        ("MOVED 3999 127.0.0.1:6381", .elsewhere), ("ASK 3999 127.0.0.1:6381", .elsewhere),
        ("NOREPLICAS Not enough good replicas", .tooFewReplicas), ("OOM command not allowed", .takesNothing),
        ("MISCONF Redis is configured to save", .takesNothing), ("NOAUTH Authentication required.", .notAuthenticated),
        ("WRONGPASS invalid", .misconfigured), ("NOPERM no permissions", .misconfigured),
        ("WRONGTYPE Operation against a key", .misconfigured), ("CROSSSLOT Keys", .misconfigured),
        ("NOPROTO unsupported", .misconfigured), ("DENIED Redis is running in protected mode", .misconfigured),
        ("ERR unknown command", .misconfigured), ("ERR max number of clients reached", .tooManyClients),
        ("NOSCRIPT No matching script", .unknownScript), ("ERR Protocol error: invalid bulk length", .protocolError),
        ("", .misconfigured), ("OOMPH something else", .misconfigured),
    ])
    func theFirstWordDecides(text: String, expected: ErrorReply) {
        #expect(ErrorReply(utf8(text).span) == expected)
    }

    @Test func nothingButTheWordIsRepeated() {
        #expect(ErrorReply.word(of: utf8("ERR unknown command, with args: 'secret'").span) == "ERR")
        #expect(ErrorReply.word(of: utf8("secret text").span) == "unnamed")
        #expect(ErrorReply.word(of: utf8(String(repeating: "A", count: 33)).span) == "unnamed")
    }

    private func rig(answering first: String) throws -> Rig {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis) {
            $0.pushDeadline = .seconds(2)
            $0.replyTimeout = .seconds(2)
        }
        rig.ready()
        rig.push("job", mark: first.hasPrefix("-NOSCRIPT") ? sampleMark : nil)
        rig.turns { redis.pushes().count == 1 }
        redis.answersPushes = true
        redis.send(first)
        return rig
    }

    @Test(arguments: [
        "-LOADING x\r\n", "-BUSY x\r\n", "-TRYAGAIN x\r\n", "-MASTERDOWN x\r\n", "-CLUSTERDOWN x\r\n",
        "-NOREPLICAS x\r\n",
    ])
    func notNowIsTriedAgainOnTheSameConnection(reply: String) throws {
        let rig = try rig(answering: reply)
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .queued(depth: 1))
        #expect(rig.redis.accepted == 1)
        #expect(rig.redis.pushes().count == 2)
    }

    @Test(arguments: ["-READONLY x\r\n", "-NOAUTH x\r\n", "-ERR max number of clients reached\r\n"])
    func aConnectionThatIsOfNoUseIsReplaced(reply: String) throws {
        let rig = try rig(answering: reply)
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .queued(depth: 1))
        #expect(rig.redis.accepted == 2)
    }

    @Test(arguments: [
        "-OOM x\r\n", "-MISCONF x\r\n", "-WRONGTYPE x\r\n", "-NOPERM x\r\n", "-MOVED 1 a:1\r\n", "-ERR x\r\n",
    ])
    func aRefusalFailsThePushAndOpensTheBreakerForAWhile(reply: String) throws {
        let rig = try rig(answering: reply)
        #expect(rig.turns { rig.result() != nil })
        guard case .failed(.refused(_, let word)) = rig.result() else {
            Issue.record("not refused")
            return
        }
        #expect(reply.hasPrefix("-\(word)"))
        #expect(rig.push("next", 2) == .breakerOpen)
        #expect(rig.redis.accepted == 1)
    }

    @Test func afterARefusalOnePushProbes() throws {
        let rig = try rig(answering: "-OOM x\r\n")
        #expect(rig.turns { rig.result() != nil })
        var waiter: UInt64 = 10
        #expect(rig.turns { rig.push("probe", waiter) == nil })
        #expect(rig.push("beside the probe", 99) == .breakerOpen)
        waiter = 10
        #expect(rig.turns { rig.result(waiter) != nil })
        #expect(rig.result(waiter) == .queued(depth: 1))
        #expect(rig.pool.isUsable)
    }

    @Test func aProtocolErrorIsNeverSentAgain() throws {
        let rig = try rig(answering: "-ERR Protocol error: x\r\n")
        #expect(rig.turns { rig.result() != nil })
        rig.turns { rig.redis.accepted == 2 }
        for _ in 0..<20 { rig.turn() }
        #expect(rig.redis.pushes(1).isEmpty)
    }

    @Test func anUnknownScriptIsSentItselfOnTheSameConnection() throws {
        let rig = try rig(answering: "-NOSCRIPT x\r\n")
        #expect(rig.turns { rig.result() != nil })
        let commands = rig.redis.pushes()
        #expect(commands.map { $0[0] } == [utf8("EVALSHA"), utf8("EVAL")])
        #expect(commands[1][1] == utf8(PushCommand.script))
        #expect(commands[0][2...] == commands[1][2...])
        #expect(rig.redis.accepted == 1)
    }

    @Test func aMarkThatIsThereIsTheResult() throws {
        let redis = try ScriptedRedis()
        redis.answersPushes = false
        let rig = try Rig(redis)
        rig.ready()
        rig.push("job", mark: sampleMark)
        rig.turns { redis.pushes().count == 1 }
        redis.send("$5\r\nfirst\r\n")
        #expect(rig.turns { rig.result() != nil })
        #expect(rig.result() == .marked(utf8("first")))
    }
}
