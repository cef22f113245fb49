import Delivery
import Glibc
import RESP
import TestSupport
import Testing

@testable import Redis

private let queue = "enhancement:queue"
private let stream = "{enhancement:queue}:quarantine"

private let limits = QuarantineLimits(entries: 5, age: 100, tenantEntries: 3)

private func fields(_ body: String) -> [(name: String, value: [UInt8])] {
    [("time", utf8("now")), ("body", utf8(body))]
}

extension QuarantineService {
    /// The bodies of all entries, oldest first.
    fileprivate func bodies() throws -> [String] {
        var bodies: [String] = []
        try visit { bodies.append($0["body"]?.text ?? "none") }
        return bodies
    }
}

@Suite(.enabled(if: RealRedis.isInstalled, "redis-server is not installed, or not on PATH"))
struct QuarantineServiceTests {
    /// As a user who may run the script, and all that it does but for `right`.
    private func service(_ redis: RealRedis, without right: String) throws -> QuarantineService {
        try redis.call("ACL SETUSER u on >p ~* +eval +set +incrby +expire +xtrim +xadd -\(right)")
        return QuarantineService(try Client(try Address("unix://u:p@\(redis.url.dropFirst(7))")), queue: queue)
    }

    @Test func `the README's rights are enough`() throws {
        let redis = try RealRedis()
        try redis.call(
            "ACL SETUSER u on >p ~\(stream) ~\(stream):* +eval +set +incrby +expire +xtrim +xadd")
        let address = try Address("unix://u:p@\(redis.url.dropFirst(7))")
        #expect(
            try QuarantineService(try Client(address), queue: queue).add(fields("1"), of: utf8("a"), within: limits))
    }

    @Test func `an owner has as many entries in an hour as the limits allow, over all connections`() throws {
        let redis = try RealRedis()
        let services = [
            QuarantineService(redis.client, queue: queue),
            QuarantineService(try Client(try Address(redis.url)), queue: queue),
        ]
        var kept: [Bool] = []
        for number in 0..<5 {
            kept.append(try services[number % 2].add(fields("\(number)"), of: utf8("a"), within: limits))
        }
        #expect(kept == [true, true, true, false, false])
        #expect(try redis.call("GET \(stream):a") == "3")
        #expect((1...3600).contains(try #require(Int(try redis.call("TTL \(stream):a")))))
        #expect(try services[0].add(fields("5"), of: utf8("b"), within: limits))
        #expect(try services[0].bodies() == ["0", "1", "2", "5"])
    }

    @Test func `the oldest of all go first, and the stream expires an age after the last`() throws {
        let redis = try RealRedis()
        let service = QuarantineService(redis.client, queue: queue)
        for number in 1...7 {
            _ = try service.add(fields("\(number)"), of: utf8("owner-\(number)"), within: limits)
        }
        #expect(try service.bodies() == ["3", "4", "5", "6", "7"])
        #expect((99...100).contains(try #require(Int(try redis.call("TTL \(stream)")))))
    }

    /// The id of the next entry follows that of an entry from the future.
    @Test func `what is older than its age by the clock of Redis goes with the next entry`() throws {
        let redis = try RealRedis()
        let service = QuarantineService(redis.client, queue: queue)
        try redis.call("XADD \(stream) 4000000000000-0 body too-old")
        try redis.call("XADD \(stream) 4000000000001-0 body recent")
        try redis.call("XADD \(stream) 4000000100000-0 body newest")
        _ = try service.add(fields("new"), of: utf8("a"), within: limits)
        #expect(try service.bodies() == ["too-old", "recent", "newest", "new"])
        try redis.call("XADD \(stream) 4000000100001-0 body later")
        _ = try service.add(fields("another"), of: utf8("a"), within: limits)
        #expect(try service.bodies() == ["recent", "newest", "new", "later", "another"])
    }

    @Test(arguments: ["set", "incrby", "expire", "xtrim", "xadd"])
    func `without a right nothing is kept, and nothing stays for ever`(right: String) throws {
        let redis = try RealRedis()
        let service = try service(redis, without: right)
        for _ in 1...4 {
            do {
                _ = try service.add(fields("1"), of: utf8("a"), within: limits)
                Issue.record("kept")
            } catch ClientFailure.refused(let word) {
                #expect(word == "NOPERM")
            }
        }
        #expect(try redis.call("EXISTS \(stream)") == "0")
        #expect(try redis.call("TTL \(stream):a") != "-1")
        // What was not kept is not counted.
        #expect(try ["nothing", "0"].contains(redis.call("GET \(stream):a")))
    }

    @Test func `a stream of another type is refused and not counted`() throws {
        let redis = try RealRedis()
        try redis.call("SET \(stream) x")
        let service = QuarantineService(redis.client, queue: queue)
        #expect(throws: ClientFailure.self) { try service.add(fields("1"), of: utf8("a"), within: limits) }
        #expect(try redis.call("GET \(stream):a") == "0")
    }

    @Test func `more than a page is handed out, also while entries are removed`() throws {
        let redis = try RealRedis()
        let service = QuarantineService(redis.client, queue: queue)
        for number in 1...250 { try redis.call("XADD \(stream) \(number)-1 body \(number)") }
        #expect(try service.bodies() == (1...250).map { "\($0)" })
        var removed = 0
        try service.visit { entry in removed += try service.remove(entry.id) ? 1 : 0 }
        #expect(removed == 250)
        #expect(try !service.remove(utf8("1-1")))
        #expect(try service.entry(utf8("1-1")) == nil)
    }
}

/// Replies that a Redis does not give.
struct QuarantineReplyTests {
    @Test(arguments: [
        ":1\r\n", "*1\r\n:1\r\n", "*1\r\n*1\r\n$3\r\n1-1\r\n", "*1\r\n*2\r\n:1\r\n*0\r\n",
        "*1\r\n*2\r\n$3\r\n1-1\r\n$1\r\nx\r\n", "*-1\r\n",
    ])
    func `what is no entry is a failure`(reply: String) throws {
        #expect(try entry(from: reply) == "unexpected")
    }

    @Test(arguments: [
        ("*0\r\n", "none"), ("*1\r\n*2\r\n$3\r\n1-1\r\n*0\r\n", "1-1:"),
        ("*1\r\n*2\r\n$3\r\n1-1\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "1-1:a=b"),
        ("*1\r\n*2\r\n$3\r\n1-1\r\n*4\r\n$1\r\na\r\n$-1\r\n:7\r\n$1\r\nb\r\n", "1-1:a= =b"),
    ])
    func `odd fields of an entry are read as far as they go`(reply: String, expected: String) throws {
        #expect(try entry(from: reply) == expected)
    }

    /// What becomes of a reply to XRANGE.
    private func entry(from reply: String) throws -> String {
        var parser = ReplyParser()
        guard let reply = try parser.next(in: utf8(reply).span) else { return "incomplete" }
        do throws(ClientFailure) {
            guard let entry = try QuarantineService.entries(reply).first else { return "none" }
            return "\(entry.id.text):" + entry.fields.map { "\($0.name.text)=\($0.value.text)" }.joined(separator: " ")
        } catch {
            guard case .unexpected = error else { return "\(error)" }
            return "unexpected"
        }
    }
}
