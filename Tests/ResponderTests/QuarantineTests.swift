import Glibc
import RESP
import Redis
import System
import TestSupport
import Testing

@testable import Responder
@testable import Webhook

/// A Redis that gives every script the same reply, or none.
private struct ScriptRedis: ~Copyable {
    private let directory = TemporaryDirectory()
    private let listener: Descriptor
    let reply: String?
    private(set) var scriptCount = 0
    private(set) var passwords: [String] = []
    private(set) var connectionCount = 0
    private var connection = Descriptor.none
    private var input: [UInt8] = []
    private var parser = ReplyParser()

    init(reply: String?) {
        self.reply = reply
        listener = Descriptor(owning: ListeningSocket.unix("\(directory.path)/s").number)
    }

    func address() throws -> Address { try Address("unix://:first@\(directory.path)/s") }

    /// Serves until the quarantine's thread has ended; at most ten seconds.
    mutating func serve(_ quarantine: inout Quarantine) throws {
        let limit = Instant.now + .seconds(10)
        while Instant.now < limit {
            var entries = [listener.number, connection.number, quarantine.number].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            _ = unsafe poll(&entries, 3, 1000)
            if entries[2].revents != 0 { return quarantine.finish(at: .now) }
            if entries[1].revents != 0 { try read() }
            if entries[0].revents != 0 {
                connection = Descriptor(owning: accept(listener.number, nil, nil))
                connectionCount += 1
                (input, parser) = ([], ReplyParser())
            }
        }
        throw TookTooLong()
    }

    private mutating func read() throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        guard case .bytes(let count) = connection.receive(into: &chunk) else {
            connection = .none
            return
        }
        input += chunk[..<count]
        let bytes = input
        while case .array(let arguments?) = try parser.next(in: bytes.span) {
            let words = arguments.map { if case .bulk(let text?) = $0 { text.text } else { "?" } }
            let name = words[0]
            if name == "AUTH" { passwords.append(words[words.count - 1]) }
            if name == "EVAL" { scriptCount += 1 }
            let answer = name == "EVAL" ? reply : name == "PING" ? "+PONG\r\n" : "+OK\r\n"
            if let answer { _ = connection.send(utf8(answer).span) }
        }
        input.removeFirst(parser.consumed)
        parser.discardConsumed()
    }
}

private struct TookTooLong: Error {}
private struct NoResult: Error {}

extension Quarantine {
    fileprivate mutating func result() throws -> Result {
        guard let result = takeResult() else { throw NoResult() }
        return result
    }
}

struct QuarantineTests {
    private func quarantine(_ redis: borrowing ScriptRedis) throws -> Quarantine {
        try Quarantine(
            limits: QuarantineLimits(entries: 1000, age: 60, tenantEntries: 100), queue: "q", at: try redis.address(),
            tls: nil)
    }

    private func request(of tenant: String = "acme", bodyLength: Int = 2) -> RefusedRequest {
        var exchange = Exchange()
        exchange.provenTenant = utf8(tenant)
        return RefusedRequest(
            exchange, .invalidFields, body: [UInt8](repeating: 0x78, count: bodyLength).span, time: utf8("now"))
    }

    @Test func `requests of one turn are kept over one connection`() throws {
        var redis = ScriptRedis(reply: ":1\r\n")
        var quarantine = try quarantine(redis)
        quarantine.endTurn()
        #expect(throws: NoResult.self) { try quarantine.result() }
        for _ in 1...3 { quarantine.take(request(), at: .now) }
        quarantine.endTurn()
        quarantine.take(request(of: "globex"), at: .now)
        quarantine.endTurn()  // The thread is busy.
        try redis.serve(&quarantine)
        var result = try quarantine.result()
        #expect(result.kept == 3 && result.failed == 0 && result.limited == [] && redis.connectionCount == 1)
        quarantine.endTurn()
        try redis.serve(&quarantine)
        result = try quarantine.result()
        #expect(result.kept == 1 && redis.scriptCount == 4 && redis.connectionCount == 2)
    }

    @Test func `an owner at its limit costs one command, and none for a minute`() throws {
        var redis = ScriptRedis(reply: ":0\r\n")
        var quarantine = try quarantine(redis)
        for _ in 1...5 { quarantine.take(request(), at: .now) }
        quarantine.endTurn()
        try redis.serve(&quarantine)
        var limited = try quarantine.result().limited
        #expect(limited.count == 5)
        #expect(redis.scriptCount == 1)
        let now = Instant.now
        quarantine.take(request(), at: now)
        quarantine.take(request(of: "globex"), at: now)
        quarantine.endTurn()
        try redis.serve(&quarantine)
        limited = try quarantine.result().limited
        #expect(limited == [utf8("acme"), utf8("globex")])
        #expect(redis.scriptCount == 2)
        quarantine.take(request(), at: now + .seconds(61))
        quarantine.endTurn()
        try redis.serve(&quarantine)
        #expect(redis.scriptCount == 3)
    }

    @Test(arguments: [(2, 256), (131_072, 63)])
    func `what waits is bounded in number and in bytes`(bodyLength: Int, expected: Int) throws {
        var redis = ScriptRedis(reply: ":1\r\n")
        var quarantine = try quarantine(redis)
        for _ in 1...300 { quarantine.take(request(bodyLength: bodyLength), at: .now) }
        let failed = try quarantine.result().failed
        #expect(failed == 300 - expected)
        quarantine.endTurn()
        try redis.serve(&quarantine)
        let kept = try quarantine.result().kept
        #expect(kept == expected)
    }

    @Test(arguments: [
        (
            "-NOPERM secret\r\n",
            "Redis answered NOPERM: the user lacks a right to the command or the key: grant it +incrby +expire +xtrim "
                + "+xadd, and the keys of \"Quarantine\" in the README"
        ),
        ("$1\r\nx\r\n", "unexpected reply from Redis: expected an integer"),
        ("$2000\r\n", "unexpected reply from Redis: more than 1024 bytes, or invalid RESP (length)"),
        ("hello\r\n", "unexpected reply from Redis: invalid RESP (type)"),
    ])
    func `a batch ends with its first failure, all of it is counted, and the reason is told`(
        reply: String, expected: String
    ) throws {
        var redis = ScriptRedis(reply: reply)
        var quarantine = try quarantine(redis)
        for _ in 1...4 { quarantine.take(request(), at: .now) }
        quarantine.endTurn()
        try redis.serve(&quarantine)
        let result = try quarantine.result()
        #expect(result.failed == 4 && result.kept == 0 && result.failure == expected && redis.scriptCount == 1)
    }

    @Test func `the next batch has the new password`() throws {
        var redis = ScriptRedis(reply: ":1\r\n")
        var quarantine = try quarantine(redis)
        for password in ["first", "second"] {
            quarantine.setPassword(password)
            quarantine.take(request(), at: .now)
            quarantine.endTurn()
            try redis.serve(&quarantine)
        }
        #expect(redis.passwords == ["first", "second"])
    }

    @Test func `at the end it waits for Redis, but not for long`() throws {
        let redis = ScriptRedis(reply: nil)
        var quarantine = try quarantine(redis)
        for _ in 1...2 { quarantine.take(request(), at: .now) }
        quarantine.endTurn()
        quarantine.take(request(), at: .now)
        let start = Instant.now
        quarantine.close(by: .now + Quarantine.patience)
        #expect((2.9...4).contains(Nanoseconds(Instant.now.since(start)).seconds))
        let result = try quarantine.result()
        #expect(result.failed == 3 && result.failure == "the process ends, and Redis has not answered")
    }

    @Test func `at the end a Redis that cannot be reached is not waited for`() throws {
        var quarantine = try Quarantine(
            limits: QuarantineLimits(entries: 1000, age: 60, tenantEntries: 100), queue: "q",
            at: try Address("unix:///no/such/socket"), tls: nil)
        quarantine.take(request(), at: .now)
        let start = Instant.now
        quarantine.close(by: .now + Quarantine.patience)
        #expect(Nanoseconds(Instant.now.since(start)).seconds < 1)
        let failed = try quarantine.result().failed
        #expect(failed == 1)
    }
}
