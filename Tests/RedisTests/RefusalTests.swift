import DequeModule
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// What the pool does about each kind of error reply.
struct RefusalTests {
    // MARK: Not now

    @Test(arguments: ["LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN", "CLUSTERDOWN"])
    func `"not now" is tried again on the same connection`(word: String) throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiter = bench.push(key: named("d"))
        let command = try bench.commands(1, of: session)
        for _ in 1...3 {
            session.send("-\(word) not now\r\n")
            #expect(try bench.commands(1, of: session) == command)
        }
        session.send(":4\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 4))
        #expect(bench.redis.sessions.count == 1 && bench.events == [.connected(isFirst: true)])
    }

    @Test func `"not now" until the deadline is a refusal`() throws {
        let bench = try Bench { $0.pushDeadline = .milliseconds(150) }
        bench.redis.answer = { _, command in
            command[0] == "PING" ? "+PONG\r\n" : command[0] == "LPUSH" ? "-BUSY script\r\n" : "+OK\r\n"
        }
        let start = Instant.now
        let waiter = bench.push()
        #expect(try bench.await(waiter) == .failed(.refused(.busy, word: "BUSY")))
        #expect(Instant.now.since(start) < 1_000_000_000)
        #expect(bench.pool.breakerState == .closed && bench.pool.pendingBytes == 0)
    }

    @Test func `one push is put off, and the others go on`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiters = ["a", "b"].map { bench.push($0) }
        _ = try bench.commands(2, of: session)
        session.send("-TRYAGAIN slot\r\n:1\r\n")
        #expect(try bench.await(waiters[1]) == .queued(depth: 1))
        #expect(try bench.commands(1, of: session)[0][2] == "a")
        session.send(":2\r\n")
        #expect(try bench.await(waiters[0]) == .queued(depth: 2))
    }

    // MARK: Not here

    @Test(arguments: ["READONLY You can't write against a read only replica.", "NOAUTH Authentication required."])
    func `"not here" is tried on a new connection in the same order`(text: String) throws {
        let redis = try ScriptedRedis()
        let bench = try Bench(redis, url: "unix://:p@\(redis.url.dropFirst(7))")
        let first = try bench.connect()
        let waiters = (1...4).map { bench.push("\($0)") }
        _ = try bench.commands(4, of: first)
        // One reply in each turn: the others are waited for, since each says that its push did not happen.
        for _ in 1...4 {
            #expect(!first.isAbandoned)
            first.send("-\(text)\r\n")
            try bench.linger(milliseconds: 5)
        }
        try bench.run { first.isAbandoned }
        let second = try bench.accept()
        #expect(try bench.commands(1, of: second) == [["AUTH", "p"]])
        second.send("+OK\r\n+OK\r\n+PONG\r\n")
        #expect(try bench.commands(6, of: second).suffix(4).map { $0[2] } == ["1", "2", "3", "4"])
        second.send(":1\r\n:2\r\n:3\r\n:4\r\n")
        for (index, waiter) in waiters.enumerated() { #expect(try bench.await(waiter) == .queued(depth: index + 1)) }
        #expect(bench.events.contains { if case .lost(_, ambiguous: 0, retried: 4, _) = $0 { true } else { false } })
        #expect(bench.breakerChanges.isEmpty && bench.pool.pendingBytes == 0)
    }

    @Test func `a connection that is left takes no more pushes`() throws {
        let bench = try Bench()
        let first = try bench.connect()
        bench.push("a")
        bench.push("b")
        _ = try bench.commands(2, of: first)
        first.send("-READONLY no\r\n")
        try bench.run { bench.pool.connectionCounts.ready == 0 && bench.pool.machine.lanes[0]?.isLeaving == true }
        bench.push("c")
        let second = try bench.connect()
        #expect(try bench.commands(2, of: second).map { $0[2] }.sorted() == ["a", "c"])
        #expect(first.commandCount == 0)
        first.send(":1\r\n")
        try bench.run { first.isAbandoned && bench.results.count == 1 }
    }

    @Test func `what a full socket did not take follows what was refused`() throws {
        let bench = try Bench {
            $0.maxConnections = 1
            // The next connection is there before the time of those that were refused has come.
            $0.retryDelay = .milliseconds(200)
        }
        let first = try bench.connect()
        first.isReading = false
        let job = String(repeating: "z", count: 60_000)
        for number in 1...9 { bench.push("\(number) \(job)") }
        bench.turn()
        let connection = try #require(bench.pool.machine.lanes[0])
        let whole = (0..<9).count { connection.inFlight[$0].end <= connection.written }
        for _ in 1...whole { first.send("-READONLY no\r\n") }
        try bench.run { first.isAbandoned }
        let second = try bench.connect()
        #expect(try bench.commands(9, of: second).map { $0[2].prefix(1) } == (1...9).map { "\($0)" })
    }

    @Test func `a replica that stays one refuses after as many attempts as are allowed`() throws {
        let bench = try Bench { $0.attempts = 3 }
        bench.redis.answer = { _, command in
            command[0] == "PING" ? "+PONG\r\n" : command[0] == "LPUSH" ? "-READONLY no\r\n" : "+OK\r\n"
        }
        let waiter = bench.push()
        #expect(try bench.await(waiter) == .failed(.refused(.notPrimary, word: "READONLY")))
        #expect(bench.redis.sessions.count == 3)
        #expect(bench.breakerChanges == [true])
        #expect(bench.tryPush() == .breakerOpen)
    }

    @Test func `a reply on a connection that is left is waited for no longer than any other`() throws {
        let bench = try Bench {
            $0.replyTimeout = .milliseconds(250)
            $0.maxConnections = 1
        }
        let first = try bench.connect()
        let waiters = [try bench.pushed("a", on: first), try bench.pushed("b", on: first)]
        first.send("-READONLY no\r\n")
        try bench.linger(milliseconds: 40)
        // Its slot is taken until then, so there is nothing to dial, and no reason to wake up.
        let start = Instant.now
        bench.turn(within: .milliseconds(100))
        #expect(Instant.now.since(start) >= 95_000_000)
        #expect(try bench.await(waiters[1]) == .failed(.ambiguous))
        try bench.run { first.isAbandoned }
        let second = try bench.connect()
        #expect(try bench.commands(1, of: second)[0][2] == "a")
    }

    // MARK: Once more

    @Test func `too few replicas are tried once more`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let lucky = try bench.pushed("lucky", on: session)
        session.send("-NOREPLICAS Not enough good replicas to write.\r\n")
        #expect(try bench.commands(1, of: session)[0][2] == "lucky")
        session.send(":1\r\n")
        #expect(try bench.await(lucky) == .queued(depth: 1))
        let other = try bench.pushed("other", on: session)
        session.send("-NOREPLICAS Not enough good replicas to write.\r\n")
        _ = try bench.commands(1, of: session)
        session.send("-NOREPLICAS Not enough good replicas to write.\r\n")
        #expect(try bench.await(other) == .failed(.refused(.tooFewReplicas, word: "NOREPLICAS")))
        try bench.linger()
        #expect(session.commandCount == 0 && bench.breakerChanges.isEmpty)
    }

    // MARK: Not at all

    @Test(arguments: [
        ("OOM command not allowed when used memory > 'maxmemory'.", ErrorReply.writesRefused),
        ("MISCONF Redis is configured to save RDB snapshots", .writesRefused),
        ("WRONGTYPE Operation against a key", .misconfigured), ("NOPERM this user", .misconfigured),
        ("WRONGPASS invalid", .misconfigured), ("CROSSSLOT Keys in request", .misconfigured),
        ("NOPROTO unsupported", .misconfigured), ("DENIED Redis is running in protected mode", .protectedMode),
        ("ERR unknown command 'LPUSH'", .misconfigured), ("MOVED 3999 ?:6381", .elsewhere),
        // The same host, says an empty one; a unix socket has none.
        ("MOVED 3999 :6379", .elsewhere),
        ("ASK 16384 127.0.0.1:6381", .elsewhere), ("NOSCRIPT No matching script.", .unknownScript),
    ])
    func `what an operator must mend opens the breaker at once`(text: String, error: ErrorReply) throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiter = try bench.pushed(on: session)
        session.send("-\(text)\r\n")
        let word = String(text.prefix { $0 != " " })
        #expect(try bench.await(waiter) == .failed(.refused(error, word: word)))
        #expect(bench.tryPush() == .breakerOpen)
        #expect(bench.pool.retryAfter == 5)
        #expect(bench.events == [.connected(isFirst: true), .breakerOpened(.refused(error, word: word))])
        #expect(!session.isAbandoned, "the connection is good")
        try bench.linger()
        #expect(session.commandCount == 0, "no tight retry")
    }

    @Test func `a script that Redis has forgotten is sent on the same connection`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiter = bench.push("job", key: named("d"))
        let plain = bench.push("other")
        let digest = try bench.commands(2, of: session)[0]
        session.send("-NOSCRIPT No matching script. Please use EVAL.\r\n:1\r\n")
        #expect(try bench.commands(1, of: session) == [["EVAL", Idempotency.script] + digest.dropFirst(2)])
        #expect(bench.results.map(\.waiter) == [plain])
        session.send(":2\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 2))
        // A second NOSCRIPT, to the script itself, is a refusal.
        let other = try bench.pushed(key: named("e"), on: session)
        session.send("-NOSCRIPT a\r\n")
        _ = try bench.commands(1, of: session)
        session.send("-NOSCRIPT b\r\n")
        #expect(try bench.await(other) == .failed(.refused(.unknownScript, word: "NOSCRIPT")))
        #expect(bench.redis.sessions.count == 1)
    }

    @Test func `a command that Redis could not parse is never sent again`() throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiter = try bench.pushed("bad", key: named("d"), on: session)
        session.send("-ERR Protocol error: invalid bulk length\r\n")
        #expect(try bench.await(waiter) == .failed(.refused(.protocolError, word: "ERR")))
        try bench.run { session.isAbandoned }
        #expect(bench.breakerChanges == [true])
        let second = try bench.connect()
        try bench.linger()
        #expect(second.commandCount == 0)
    }

    @Test func `a protocol error in the middle of a command is a refusal`() throws {
        let bench = try Bench { $0.maxConnections = 1 }
        let session = try bench.connect()
        session.isReading = false
        let waiter = bench.push(String(repeating: "z", count: 900_000))
        bench.turn()
        session.send("-ERR Protocol error: too big mbulk count string\r\n")
        #expect(try bench.await(waiter) == .failed(.refused(.protocolError, word: "ERR")))
    }
}
