import Glibc
import Synchronization
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// The client that waits for each reply. It blocks, and so runs on a thread of its own, while Redis is played here.
struct ClientTests {
    private final class Work: Sendable {
        let body: @Sendable () -> [String]
        let lines = Mutex<[String]?>(nil)

        init(_ body: @escaping @Sendable () -> [String]) { self.body = body }
    }

    /// Runs `body` on a thread, and Redis here, and returns what `body` does.
    private func play(_ redis: ScriptedRedis, _ body: @escaping @Sendable () -> [String]) throws -> [String] {
        let work = Work(body)
        var thread = pthread_t()
        let argument = unsafe Unmanaged.passRetained(work).toOpaque()
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                let work = unsafe Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
                let lines = work.body()
                work.lines.withLock { $0 = lines }
                return nil
            }, argument)
        try #require(result == 0)
        let limit = Instant.now + .seconds(10)
        while Instant.now < limit {
            try redis.poll()
            if let lines = work.lines.withLock({ $0 }) {
                pthread_join(thread, nil)
                return lines
            }
            usleep(500)
        }
        throw TookTooLong()
    }

    /// Makes calls one after the other, and returns what each came to.
    private func calls(
        _ redis: ScriptedRedis, _ commands: [[String]], credentials: String = "", timeout: Nanoseconds = .seconds(5)
    ) throws -> [String] {
        let scheme = redis.url.prefix { $0 != "/" } + "//"
        let url = "\(scheme)\(credentials)\(redis.url.dropFirst(scheme.count))"
        return try play(redis) {
            do {
                let client = try Client(try Address(url), timeout: timeout)
                return commands.map { command in
                    do {
                        return "\(try client.call(command.map { utf8($0) }))"
                    } catch {
                        return "\(error)"
                    }
                }
            } catch {
                return ["\(error)"]
            }
        }
    }

    private func redis(_ answers: [String: String]) throws -> ScriptedRedis {
        let redis = try ScriptedRedis()
        redis.answer = { _, command in answers[command[0], default: command[0] == "PING" ? "+PONG\r\n" : "+OK\r\n"] }
        return redis
    }

    @Test func `the client greets, and then each call gets its reply`() throws {
        let redis = try redis(["GET": "$2\r\nab\r\n", "LLEN": ":3\r\n", "LPUSH": "-WRONGTYPE secret\r\n"])
        let lines = try calls(redis, [["GET", "k"], ["LPUSH", "q", "j"], ["LLEN", "q"]], credentials: "u:p@")
        #expect(
            lines == [
                "bulk(Optional([97, 98]))", "Redis answered WRONGTYPE: the key holds something of another type",
                "integer(3)",
            ])
        #expect(redis.sessions[0].received.starts(with: resp("AUTH", "u", "p")))
    }

    @Test(arguments: [("AUTH", "WRONGPASS"), ("PING", "LOADING")])
    func `a refused greeting is reported without the password`(command: String, word: String) throws {
        let lines = try calls(try redis([command: "-\(word) hunter2\r\n"]), [["GET", "k"]], credentials: "u:hunter2@")
        #expect(lines.count == 1 && lines[0].hasPrefix("Redis cannot be reached: Redis answered \(word)"))
        #expect(!lines[0].contains("hunter2"))
    }

    @Test func `a socket where nobody listens is reported`() throws {
        let redis = try ScriptedRedis()
        redis.stop()
        #expect(try calls(redis, []) == ["Redis cannot be reached: connect: No such file or directory"])
    }

    /// The late reply to the first command would be taken for that to the second.
    @Test func `after a timeout nothing more is sent`() throws {
        let redis = try redis([:])
        redis.answer = { _, command in command[0] == "GET" ? nil : command[0] == "PING" ? "+PONG\r\n" : "+OK\r\n" }
        let lines = try calls(redis, [["GET", "a"], ["SET", "b", "c"]], timeout: .milliseconds(150))
        #expect(lines == ["no reply from Redis in time", "no reply from Redis in time"])
        #expect(!redis.sessions[0].received.text.contains("SET\r\n$1"))
    }

    @Test(arguments: [("+1\r\n+2\r\n", "unsolicited"), ("?\r\n", "type")])
    func `after bytes that cannot be the reply nothing more is sent`(answer: String, told: String) throws {
        let lines = try calls(try redis(["GET": answer]), [["GET", "a"], ["LLEN", "b"]])
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains("unexpected") && $0.contains(told) }, "\(lines)")
    }

    @Test func `in a cluster the client moves once, with its password, to the node that has the key`() throws {
        let redis = try ScriptedRedis(.loopback)
        let node = "-MOVED 7 127.0.0.1:\(redis.port)\r\n"
        redis.answer = { [unowned redis] session, command in
            guard command[0] == "LLEN" else { return command[0] == "PING" ? "+PONG\r\n" : "+OK\r\n" }
            return session === redis.sessions[0] || command[1] == "far" ? node : ":3\r\n"
        }
        let lines = try calls(redis, [["LLEN", "q"], ["LLEN", "q"], ["LLEN", "far"]], credentials: ":p@")
        #expect(lines == ["integer(3)", "integer(3)", "Redis answered MOVED"])
        #expect(redis.sessions.count == 2 && redis.sessions[1].received.starts(with: resp("AUTH", "p")))
    }

    @Test func `an entry over the limit is not taken into memory`() throws {
        let redis = try redis([:])
        redis.answer = { _, command in
            command[0] == "LINDEX" ? "$1001\r\n" : command[0] == "PING" ? "+PONG\r\n" : "+OK\r\n"
        }
        let url = redis.url
        let lines = try play(redis) {
            do {
                _ = try Client(try Address(url), bulkLimit: 1000).call([utf8("LINDEX"), utf8("q"), utf8("0")])
                return ["no failure"]
            } catch {
                return ["\(error)"]
            }
        }
        #expect(lines == ["unexpected reply from Redis: more than 1000 bytes, or invalid RESP (length)"])
    }

    @Test func `a node that cannot be reached fails every later call`() throws {
        let redis = try ScriptedRedis(.loopback)
        redis.answer = { _, command in command[0] == "PING" ? "+PONG\r\n" : "-MOVED 7 127.0.0.1:1\r\n" }
        let lines = try calls(redis, [["LLEN", "q"], ["LLEN", "q"]])
        #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("Redis cannot be reached: connect") }, "\(lines)")
        #expect(redis.sessions.count == 1)
    }

    @Test func `a connection that breaks stays broken`() throws {
        let redis = try redis([:])
        redis.answer = { session, command in
            if command[0] == "GET" { session.close() }
            return command[0] == "PING" ? "+PONG\r\n" : "+OK\r\n"
        }
        let lines = try calls(redis, [["GET", "a"], ["GET", "b"]])
        #expect(lines == Array(repeating: "Redis cannot be reached: the connection broke", count: 2))
    }
}
