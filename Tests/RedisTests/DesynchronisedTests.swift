import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Replies that cannot belong to what was asked. After one, every later reply could be taken for that to another push.
struct DesynchronisedTests {
    @Test(arguments: [
        ":1\r\n", "+OK\r\n", "-ERR bye\r\n", "$-1\r\n", "*0\r\n",
    ])
    func `a reply nobody asked for closes the connection`(reply: String) throws {
        let bench = try Bench()
        let session = try bench.connect()
        let waiter = try bench.pushed(on: session)
        session.send(":1\r\n" + reply)
        #expect(try bench.await(waiter) == .queued(depth: 1))
        try bench.run { session.isAbandoned }
        #expect(bench.lossReasons == ["reply from Redis that nobody asked for"])
        try bench.connect()
    }

    @Test(arguments: [
        "+OK", "+QUEUED", ":0", ":-1", "$-1", "$1\r\nx", "*-1", "*1\r\n:1",
    ])
    func `a reply that LPUSH cannot have closes the connection`(reply: String) throws {
        try expectLoss(reply, key: nil, reason: "unexpected type of reply from Redis")
    }

    @Test(arguments: ["+OK", ":0", "$-1", "*1\r\n:1"])
    func `a reply that the script cannot have closes the connection`(reply: String) throws {
        try expectLoss(reply, key: named("d"), reason: "unexpected type of reply from Redis")
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request", "type"), (":+1", "integer"), (":01", "integer"), (":1\n", "lineEnd"),
        (":99999999999999999999", "integer"), ("$2000000", "length"), ("%1", "type"), ("_", "type"),
        ("*2000", "tooManyElements"), ("+" + String(repeating: "x", count: 20_000), "lineTooLong"),
        ("$40000\r\n" + String(repeating: "x", count: 40_000), "tooLong"),
    ])
    func `bytes that are not a reply close the connection`(reply: String, fault: String) throws {
        try expectLoss(reply, key: nil, reason: "invalid RESP from Redis (\(fault))")
    }

    private func expectLoss(_ reply: String, key: IdempotencyKey?, reason: String) throws {
        let bench = try Bench { $0.attempts = 1 }
        let session = try bench.connect()
        let waiters = [try bench.pushed("a", key: key, on: session), try bench.pushed("b", key: key, on: session)]
        // The second reply must not be taken for the first one's.
        session.send("\(reply)\r\n:2\r\n")
        for waiter in waiters { #expect(try bench.await(waiter) == .failed(.ambiguous)) }
        try bench.run { session.isAbandoned }
        #expect(bench.lossReasons == [reason])
    }

    @Test func `a reply to a command that Redis has only in part closes the connection`() throws {
        let bench = try Bench { $0.maxConnections = 1 }
        let first = try bench.connect()
        first.isReading = false
        let waiter = bench.push(String(repeating: "z", count: 900_000))
        bench.turn()
        first.send(":1\r\n")
        try bench.run { first.isAbandoned }
        #expect(bench.result(of: waiter) == nil)
        let second = try bench.connect()
        #expect(try bench.commands(1, of: second)[0][2].utf8.count == 900_000)
        second.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }
}
