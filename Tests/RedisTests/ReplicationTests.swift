import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Pushes that count only when replicas have them.
struct ReplicationTests {
    private let wait = ["WAIT", "2", "150"]

    private func waiting(_ change: (inout DeliveryPolicy) -> Void = { _ in }) throws -> (Bench, Session) {
        let bench = try Bench {
            $0.waitReplicas = 2
            $0.waitMilliseconds = 150
            $0.maxConnections = 1
            change(&$0)
        }
        return (bench, try bench.connect())
    }

    @Test func `one WAIT follows the batch`() throws {
        let (bench, session) = try waiting()
        let waiters = (1...3).map { bench.push("\($0)") }
        let commands = try bench.commands(4, of: session)
        #expect(commands.map { $0[0] } == ["LPUSH", "LPUSH", "LPUSH", "WAIT"] && commands[3] == wait)
        session.send(":1\r\n:2\r\n:3\r\n")
        try bench.linger(milliseconds: 20)
        #expect(bench.results.isEmpty)
        session.send(":2\r\n")
        #expect(try bench.await(waiters[2]) == .queued(depth: 3))
        #expect(bench.results.map(\.result) == [.queued(depth: 1), .queued(depth: 2), .queued(depth: 3)])
        try bench.linger(milliseconds: 20)
        #expect(session.commandCount == 0, "nothing to wait for")
    }

    /// Redis would not even read what is sent meanwhile.
    @Test func `while WAIT is on its way pushes gather for the next one`() throws {
        let (bench, session) = try waiting()
        let first = bench.push("1")
        #expect(try bench.commands(2, of: session)[1] == wait)
        let others = [bench.push("2"), bench.push("3", key: named("d"))]
        session.send(":1\r\n")
        try bench.linger(milliseconds: 20)
        #expect(session.commandCount == 0 && bench.results.isEmpty)
        session.send(":3\r\n")
        #expect(try bench.await(first) == .queued(depth: 1))
        #expect(try bench.commands(3, of: session).map { $0[0] } == ["LPUSH", "EVALSHA", "WAIT"])
        session.send(":2\r\n:3\r\n:1\r\n")
        for waiter in others { #expect(try bench.await(waiter) == .failed(.notReplicated(acknowledged: 1))) }
    }

    @Test func `a push whose time runs out behind a WAIT did not happen`() throws {
        let (bench, session) = try waiting { $0.pushDeadline = .milliseconds(80) }
        let first = bench.push("1")
        _ = try bench.commands(2, of: session)
        let second = bench.push("2")
        #expect(try bench.await(first) == .failed(.ambiguous))
        #expect(try bench.await(second) == .failed(.timedOut))
        #expect(session.commandCount == 0)
    }

    /// What CLIENT UNBLOCK does, and a primary that becomes a replica.
    @Test func `a WAIT that was interrupted leaves its pushes unconfirmed, and others go on`() throws {
        let (bench, session) = try waiting()
        let first = bench.push("1")
        _ = try bench.commands(2, of: session)
        let second = bench.push("2")
        session.send(":1\r\n-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")
        #expect(try bench.await(first) == .failed(.notConfirmed(word: "UNBLOCKED")))
        #expect(try bench.commands(2, of: session)[1] == wait)
        session.send(":2\r\n:2\r\n")
        #expect(try bench.await(second) == .queued(depth: 2))
        #expect(bench.breakerChanges.isEmpty)
    }

    @Test func `too few acknowledgements fail a push and a repeat alike`() throws {
        let (bench, session) = try waiting()
        let waiters = [bench.push("1"), bench.push("2", key: named("d"))]
        let commands = try bench.commands(3, of: session)
        #expect(commands[1].last == "1", "the script writes for a repeat too, or there were nothing to wait for")
        session.send(":1\r\n$1\r\nv\r\n:1\r\n")
        for waiter in waiters { #expect(try bench.await(waiter) == .failed(.notReplicated(acknowledged: 1))) }
    }

    // MARK: The right to WAIT

    private let refusal = "-NOPERM this user has no permissions to run the 'wait' command\r\n"

    @Test func `without the right to WAIT nothing is queued, and that is reported once`() throws {
        let bench = try Bench {
            $0.waitReplicas = 2
            $0.waitMilliseconds = 150
        }
        let early = bench.push("early")
        let session = try bench.accept()
        while try bench.commands(1, of: session)[0] != ["PING"] { session.send("+OK\r\n") }
        session.send("+PONG\r\n")
        #expect(try bench.commands(1, of: session) == [["WAIT", "0", "0"]])
        session.send(refusal)
        #expect(try bench.await(early) == .failed(.refused(.misconfigured, word: "NOPERM")))
        #expect(bench.tryPush() == .breakerOpen && !bench.pool.isUsable)
        #expect(bench.events == [.connected(isFirst: true), .breakerOpened(.waitRefused(word: "NOPERM"))])
        // It is asked for again, and granted at last.
        #expect(try bench.commands(1, of: session) == [["WAIT", "0", "0"]])
        session.send(refusal)
        #expect(try bench.commands(1, of: session) == [["WAIT", "0", "0"]])
        #expect(bench.breakerChanges == [true])
        session.send(":1\r\n")
        try bench.run { bench.pool.isUsable }
        let waiter = bench.push()
        #expect(try bench.commands(2, of: session)[1] == wait)
        session.send(":1\r\n:2\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        #expect(bench.breakerChanges == [true, false])
    }

    @Test func `a right to WAIT that is taken away is not taken for missing replicas`() throws {
        let (bench, session) = try waiting()
        let waiter = bench.push()
        _ = try bench.commands(2, of: session)
        session.send(":1\r\n" + refusal)
        #expect(try bench.await(waiter) == .failed(.notConfirmed(word: "NOPERM")))
        #expect(bench.tryPush() == .breakerOpen, "its retry would be queued again")
    }

    @Test(arguments: [false, true])
    func `a loss between the reply and its WAIT is ambiguous`(isNamed: Bool) throws {
        let (bench, session) = try waiting()
        let waiter = bench.push(key: isNamed ? named("d") : nil)
        _ = try bench.commands(2, of: session)
        session.send(":1\r\n")
        try bench.linger(milliseconds: 10)
        session.close()
        #expect(try bench.await(waiter) == .failed(.ambiguous))
        #expect(bench.events.contains { if case .lost(_, ambiguous: 1, retried: 0, _) = $0 { true } else { false } })
        let next = try bench.connect()
        try bench.linger(milliseconds: 20)
        #expect(next.commandCount == 0 && bench.pool.pendingCount == 0)
    }

    @Test func `a refused push is told at once, and its neighbours keep their places`() throws {
        let (bench, session) = try waiting()
        let waiters = (1...3).map { bench.push("\($0)") }
        _ = try bench.commands(4, of: session)
        session.send(":1\r\n-WRONGTYPE no\r\n")
        #expect(try bench.await(waiters[1]) == .failed(.refused(.misconfigured, word: "WRONGTYPE")))
        #expect(bench.results.count == 1)
        session.send(":2\r\n:2\r\n")
        #expect(try bench.await(waiters[2]) == .queued(depth: 2))
        #expect(bench.result(of: waiters[0]) == .queued(depth: 1))
    }

    @Test func `a push that is sent again as a script has a WAIT of its own`() throws {
        let (bench, session) = try waiting()
        let again = bench.push("again", key: named("d"))
        let other = bench.push("other")
        _ = try bench.commands(3, of: session)
        session.send("-NOSCRIPT send it\r\n:1\r\n")
        let commands = try bench.commands(2, of: session)
        #expect(commands[0].contains("again") && commands[1] == wait)
        session.send(":2\r\n")
        #expect(try bench.await(other) == .queued(depth: 1))
        #expect(bench.result(of: again) == nil)
        session.send(":2\r\n:1\r\n")
        #expect(try bench.await(again) == .failed(.notReplicated(acknowledged: 1)))
    }

    @Test func `a push that is sent again later waits for the WAIT that is on its way`() throws {
        let (bench, session) = try waiting()
        let again = bench.push("again", key: named("d"))
        let other = bench.push("other")
        _ = try bench.commands(3, of: session)
        session.send("-LOADING wait\r\n:1\r\n")
        try bench.linger(milliseconds: 80)
        #expect(session.commandCount == 0)
        session.send(":2\r\n")
        #expect(try bench.await(other) == .queued(depth: 1))
        let commands = try bench.commands(2, of: session)
        #expect(commands[0].contains("again") && commands[1] == wait)
        session.send(":2\r\n:1\r\n")
        #expect(try bench.await(again) == .failed(.notReplicated(acknowledged: 1)))
    }

    @Test func `the deadline holds while WAIT is on its way`() throws {
        let (bench, session) = try waiting { $0.pushDeadline = .milliseconds(80) }
        let waiter = bench.push()
        _ = try bench.commands(2, of: session)
        session.send(":1\r\n")
        let start = Instant.now
        #expect(try bench.await(waiter) == .failed(.ambiguous))
        #expect(Instant.now.since(start) < 2_000_000_000, "long before the reply's own timeout of 5 s")
        session.send(":2\r\n")
        try bench.linger(milliseconds: 10)
        #expect(!session.isAbandoned && bench.results.count == 1)
    }

    @Test func `while one connection waits for replicas another takes the pushes`() throws {
        let (bench, first) = try waiting { $0.maxConnections = 2 }
        bench.push("1")
        _ = try bench.commands(2, of: first)
        bench.push("2")
        let second = try bench.connect()
        #expect(try bench.commands(2, of: second)[0][2] == "2")
        bench.push("3")
        try bench.linger(milliseconds: 20)
        #expect(first.commandCount == 0 && second.commandCount == 0)
        second.send(":2\r\n:2\r\n")
        #expect(try bench.commands(2, of: second)[0][2] == "3")
    }
}
