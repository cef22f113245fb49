import Glibc
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

struct GreetingTests {
    static let name = ["CLIENT", "SETNAME", "servicedesk-responder"]

    @Test(arguments: [
        ("", [GreetingTests.name, ["PING"]]),
        ("/3", [["SELECT", "3"], GreetingTests.name, ["PING"]]),
        (":pass", [["AUTH", "pass"], GreetingTests.name, ["PING"]]),
        ("joe:p%40ss/12", [["AUTH", "joe", "p@ss"], ["SELECT", "12"], GreetingTests.name, ["PING"]]),
    ])
    func `the greeting has the commands that the URL asks for`(of place: String, expected: [[String]]) throws {
        let redis = try ScriptedRedis(.loopback)
        let parts = place.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let credentials = parts[0].isEmpty ? "" : "\(parts[0])@"
        let database = parts.count > 1 ? "/\(parts[1])" : ""
        let bench = try Bench(redis, url: "redis://\(credentials)127.0.0.1:\(redis.port)\(database)")
        let session = try bench.accept()
        #expect(try bench.commands(expected.count, of: session) == expected)
    }

    @Test func `the whole greeting is answered before the first job is written`() throws {
        let redis = try ScriptedRedis()
        let bench = try Bench(redis, url: redis.url.replacingScheme(credentials: "u:p") + "?db=1")
        let waiter = bench.push("early")
        let session = try bench.accept()
        for expected in ["AUTH", "SELECT", "CLIENT", "PING"] {
            #expect(try bench.commands(1, of: session)[0][0] == expected)
            try bench.linger(milliseconds: 10)
            #expect(bench.pool.connectionCounts == (ready: 0, busy: 0, connecting: 1))
            #expect(!bench.pool.isUsable)
            if expected == "PING" { #expect(session.commandCount == 0) }
            session.send(expected == "PING" ? "+PONG\r\n" : "+OK\r\n")
        }
        #expect(try bench.commands(1, of: session) == [["LPUSH", "enhancement:queue", "early"]])
        #expect(bench.events == [.connected(isFirst: true)])
        session.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        #expect(bench.pool.isUsable)
    }

    @Test(arguments: [
        ["-NOPERM this user has no permissions to run the 'client|setname' command\r\n", "+PONG\r\n"],
        ["-ERR unknown command 'CLIENT', with args beginning with: 'SETNAME'\r\n", "+PONG\r\n"],
        ["+OK\r\n", "-NOPERM this user has no permissions to run the 'ping' command\r\n"],
    ])
    func `a user without the rights to CLIENT and PING may push`(replies: [String]) throws {
        let bench = try Bench()
        let session = try bench.accept()
        _ = try bench.commands(2, of: session)
        session.send(replies.joined())
        try bench.run { bench.pool.isUsable }
        let waiter = try bench.pushed(on: session)
        session.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
    }

    @Test(arguments: [
        (0, "-WRONGPASS invalid username-password pair or user is disabled.", "WRONGPASS"),
        (0, "-ERR Client sent AUTH, but no password is set", "ERR"),
        (0, "-ERR max number of clients reached", "maxclients"),
        (0, "-NOPERM no", "NOPERM"),
        (0, "-DENIED Redis is running in protected mode because", "protected mode"),
        (1, "-ERR DB index is out of range", "database 9"),
        (1, "-NOPERM this user has no permissions to run the 'select' command", "NOPERM"),
        (2, "-NOAUTH Authentication required.", "NOAUTH"),
        (3, "-NOAUTH Authentication required.", "NOAUTH"),
        (3, "-ERR unknown command 'PING'", "ERR"),
        (3, ":1", "type"),
        (3, "$4\r\nPONG", "type"),
        (2, "*0", "type"),
        (0, "HTTP/1.1 400 Bad Request", "invalid RESP"),
    ])
    func `any other refusal of the greeting closes the connection and is reported once`(
        step: Int, reply: String, told: String
    ) throws {
        let redis = try ScriptedRedis()
        let bench = try Bench(redis, url: redis.url.replacingScheme(credentials: "u:hunter2") + "?db=9")
        for attempt in 0..<3 {
            let session = try bench.accept()
            _ = try bench.commands(4, of: session)
            session.send(String(repeating: "+OK\r\n", count: step) + "\(reply)\r\n")
            try bench.run { session.isAbandoned }
            #expect(bench.pool.connectionCounts.ready == 0)
            #expect(bench.pool.breakerState == (attempt == 2 ? .unreachable : .closed))
        }
        #expect(bench.dialFailures.count == 1 && bench.dialFailures[0].contains(told), "\(bench.dialFailures)")
        #expect(bench.breakerChanges == [true])
        let text = "\(bench.events)"
        #expect(
            !text.contains("hunter2") && !text.contains("index") && !text.contains("pair"), "only the word is repeated")
    }

    @Test(arguments: [
        (2, "-LOADING Redis is loading the dataset in memory"), (3, "-LOADING Redis is loading the dataset in memory"),
        (1, "-BUSY Redis is busy running a script"), (3, "-MASTERDOWN Link with MASTER is down"),
    ])
    func `a Redis that is busy at the greeting is waited for`(step: Int, reply: String) throws {
        let redis = try ScriptedRedis()
        let bench = try Bench(redis, url: redis.url.replacingScheme(credentials: "u:hunter2") + "?db=9") {
            $0.retryDelay = .milliseconds(20)
        }
        let waiter = bench.push("a")
        for _ in 0..<5 {
            let session = try bench.accept()
            _ = try bench.commands(4, of: session)
            session.send(String(repeating: "+OK\r\n", count: step) + "\(reply)\r\n")
            try bench.run { session.isAbandoned }
            #expect(!bench.pool.isUsable)
        }
        let session = try bench.accept()
        _ = try bench.commands(4, of: session)
        session.send("+OK\r\n+OK\r\n+OK\r\n+PONG\r\n")
        _ = try bench.commands(1, of: session)
        session.send(":1\r\n")
        #expect(try bench.await(waiter) == .queued(depth: 1))
        #expect(bench.dialFailures.count == 1 && bench.breakerChanges.isEmpty)
    }

    /// Given up before, Redis has to take the connection first.
    @Test func `a Redis that comes back busy is not waited for`() throws {
        let redis = try ScriptedRedis()
        let bench = try Bench(redis) {
            $0.retryDelay = .milliseconds(20)
            $0.attempts = 1
        }
        try bench.accept().close()
        try bench.run { bench.pool.breakerState == .unreachable }
        redis.answer = { _, _ in "-LOADING wait\r\n" }
        let session = try bench.accept()
        try bench.run { session.isAbandoned }
        #expect(bench.tryPush() == .breakerOpen)
    }

    /// A full backlog: the kernel does not answer the connect.
    @Test func `a connect that is not answered is reported as that`() throws {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(listening) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = unsafe bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return unsafe bind(listening, pointer, size) == 0 && listen(listening, 0) == 0
                && getsockname(listening, pointer, &size) == 0
        }
        try #require(isListening)
        let port = UInt16(bigEndian: address.sin_port)
        let target = try #require(SocketAddress.resolve(host: "127.0.0.1", port: port, isNumeric: true).first)
        // One that waits to be accepted fills it, and two more are left in the handshake.
        let first = try target.connect()
        let second = try target.connect()
        let third = try target.connect()
        usleep(20_000)
        let bench = try Bench(url: "redis://127.0.0.1:\(port)") { $0.connectTimeout = .milliseconds(60) }
        try bench.run { !bench.dialFailures.isEmpty }
        #expect(bench.dialFailures == ["not connected in time"])
        _ = (first.number, second.number, third.number)
    }

    @Test func `a greeting that is not answered ends at the timeout`() throws {
        let bench = try Bench { $0.connectTimeout = .milliseconds(60) }
        let start = Instant.now
        let session = try bench.accept()
        _ = try bench.commands(2, of: session)
        session.send("+OK\r\n")
        try bench.run { session.isAbandoned }
        #expect(Instant.now.since(start) >= 55_000_000)
        #expect(bench.dialFailures == ["no reply from Redis to the greeting in time"])
    }

    /// Redis answers on accept, and hangs up before it reads anything.
    @Test func `"too many clients" is read though the greeting cannot be written`() throws {
        let redis = try ScriptedRedis()
        let bench = try Bench(redis)
        var starts: [Instant] = []
        redis.welcome = { session in
            starts.append(.now)
            session.send("-ERR max number of clients reached\r\n")
            session.close()
        }
        try bench.run { starts.count >= 3 }
        #expect(bench.dialFailures == ["Redis answered ERR: Redis has reached maxclients"])
        // 10 ms, jittered by half, between one attempt and the next.
        #expect(starts[1].since(starts[0]) >= 5_000_000 && starts[2].since(starts[1]) >= 5_000_000)
    }

    @Test func `a reply after the greeting closes the connection before a push takes it for its own`() throws {
        let bench = try Bench()
        let waiter = bench.push("early")
        let session = try bench.accept()
        _ = try bench.commands(2, of: session)
        session.send("+OK\r\n+PONG\r\n:1\r\n")
        try bench.run { session.isAbandoned }
        #expect(session.commandCount == 0 && bench.result(of: waiter) == nil)
        let next = try bench.connect()
        #expect(try bench.commands(1, of: next) == [["LPUSH", "enhancement:queue", "early"]])
    }
}

extension String {
    /// `unix:///path` with a user and a password.
    fileprivate func replacingScheme(credentials: String) -> String { "unix://\(credentials)@\(dropFirst(7))" }
}
