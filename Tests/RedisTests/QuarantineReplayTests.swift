import Bytes
import Delivery
import RESP
import TestSupport
import Testing

@testable import Redis

private let queue = "enhancement:queue"
private let stream = "{enhancement:queue}:quarantine"
private let seen = "{enhancement:queue}:seen:acme:d"

/// Moving a request from the quarantine to the queue.
@Suite(.enabled(if: RealRedis.isInstalled, "redis-server is not installed, or not on PATH"))
struct QuarantineReplayTests {
    private let redis: RealRedis
    private let service: QuarantineService
    private let limits = QuarantineLimits(entries: 5, age: 100, tenantEntries: 5)

    init() throws {
        redis = try RealRedis()
        service = QuarantineService(redis.client, queue: queue)
    }

    /// Adds an entry, and returns its id.
    private func added() throws -> [UInt8] {
        _ = try service.add([("body", utf8("{}"))], of: utf8("a"), within: limits)
        var last: [UInt8] = []
        try service.visit { last = $0.id }
        return last
    }

    /// The key of a delivery, with the value that a job and a body leave there.
    private func name(job: Character, body: Character) -> IdempotencyKey {
        let value = "\(String(repeating: job, count: 36)):\(String(repeating: body, count: 64))"
        return IdempotencyKey(key: utf8(seen), value: utf8(value))
    }

    private func replay(
        _ entry: [UInt8], _ name: IdempotencyKey? = nil, by service: QuarantineService? = nil
    ) throws -> QuarantineService.Replay {
        try (service ?? self.service).replay(entry, as: utf8("job"), to: utf8(queue), name: name, window: 50)
    }

    /// How many jobs and entries there are.
    private var counts: String { get throws { try redis.call("LLEN \(queue)") + redis.call("XLEN \(stream)") } }

    @Test func `an entry is queued once, and is gone then`() throws {
        let entry = try added()
        #expect(try replay(entry) == .queued && counts == "10")
        #expect(try replay(entry) == .gone && counts == "10")
        #expect(try replay(entry, name(job: "1", body: "b")) == .gone && counts == "10")
        #expect(try redis.call("EXISTS \(seen)") == "0")
    }

    @Test func `a delivery with a name is queued once, and leaves its name`() throws {
        #expect(try replay(try added(), name(job: "1", body: "b")) == .queued && counts == "10")
        #expect((49...50).contains(try #require(Int(try redis.call("TTL \(seen)")))))
        // Sent again meanwhile: the entry goes, as what it asks for has been done.
        #expect(try replay(try added(), name(job: "2", body: "b")) == .existing(name(job: "1", body: "b").value))
        #expect(try counts == "10")
        // With another body: an operator has to look at it.
        #expect(try replay(try added(), name(job: "3", body: "c")) == .existing(name(job: "1", body: "b").value))
        #expect(try counts == "11")
        try redis.call("SET \(seen) other:\(String(repeating: "b", count: 64))")
        _ = try replay(try added(), name(job: "4", body: "b"))
        #expect(try counts == "12")
    }

    @Test(arguments: ["xrange", "xdel", "lpush", "get", "set"])
    func `a user without a right queues nothing and removes nothing`(_ right: String) throws {
        let entry = try added()
        try redis.call("ACL SETUSER u on >p ~* +eval +xrange +xdel +lpush +get +set -\(right)")
        let user = QuarantineService(
            try Client(try Address("unix://u:p@\(redis.url.dropFirst(7))")), queue: queue)
        #expect(throws: ClientFailure.self) { try replay(entry, name(job: "1", body: "b"), by: user) }
        #expect(try counts == "01")
        try redis.call("ACL SETUSER u +\(right)")
        let again = QuarantineService(
            try Client(try Address("unix://u:p@\(redis.url.dropFirst(7))")), queue: queue)
        #expect(try replay(entry, name(job: "1", body: "b"), by: again) == .queued && counts == "10")
    }

    @Test func `an entry stays if Redis refuses the push`() throws {
        let entry = try added()
        try redis.call("SET \(queue) other")
        #expect(throws: ClientFailure.self) { try replay(entry) }
        #expect(try redis.call("XLEN \(stream)") == "1")
    }
}
