import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// What a scripted Redis cannot prove: that a real one behaves as the pool expects.
@Suite(.enabled(if: RealRedis.isInstalled, "redis-server is not installed, or not on PATH"))
struct RealRedisTests {
    private let queue = "enhancement:queue"

    private func bench(
        _ redis: RealRedis, credentials: String = "", _ change: (inout DeliveryPolicy) -> Void = { _ in }
    ) throws -> Bench {
        let bench = try Bench(url: "unix://\(credentials)\(redis.url.dropFirst(7))", change)
        try bench.run { bench.pool.isUsable }
        return bench
    }

    /// Pushes, and waits for the result.
    private func push(_ bench: Bench, _ job: String = "job", key: IdempotencyKey? = nil) throws -> PushResult {
        try bench.run { bench.pool.isUsable }
        return try bench.await(bench.push(job, key: key))
    }

    @Test func `a batch is queued in order`() throws {
        let redis = try RealRedis()
        let bench = try bench(redis)
        let jobs = (1...500).map { "job \($0) é😀\r\n" }
        for job in jobs { bench.push(job) }
        try bench.run { bench.results.count == 500 }
        #expect(bench.results.map(\.result) == (1...500).map { .queued(depth: $0) })
        let service = QueueService(redis.client, key: utf8(queue))
        for job in jobs {
            #expect(try service.oldest() == utf8(job))
            #expect(try service.remove(utf8(job)))
        }
        #expect(try service.oldest() == nil)
    }

    @Test func `a named delivery is queued once, and repeats get its key's value`() throws {
        let redis = try RealRedis()
        let bench = try bench(redis) { $0.window = 100 }
        // Of several at once, the first is queued.
        for number in 1...3 {
            bench.push("job \(number)", key: IdempotencyKey(key: utf8("{q}:m"), value: utf8("value \(number)")))
        }
        try bench.run { bench.results.count == 3 }
        #expect(
            bench.results.map(\.result) == [.queued(depth: 1), .existing(utf8("value 1")), .existing(utf8("value 1"))])
        #expect(
            try redis.call("LRANGE \(queue) 0 -1") == "array(Optional([RESP.Reply.bulk(Optional(\(utf8("job 1"))))]))")
        #expect((90...100).contains(Int(try redis.call("TTL {q}:m")) ?? 0))
        try redis.call("DEL {q}:m")
        #expect(try push(bench, key: IdempotencyKey(key: utf8("{q}:m"), value: utf8("v"))) == .queued(depth: 2))
    }

    @Test func `a script that Redis has forgotten is sent again`() throws {
        let redis = try RealRedis()
        let bench = try bench(redis)
        for number in 1...3 {
            try redis.call("SCRIPT FLUSH")
            #expect(try push(bench, key: named("\(number)")) == .queued(depth: number))
        }
        #expect(try push(bench, key: named("1")) == .existing(utf8("value of 1")))
        // Redis knows the script by the digest that is in the source.
        #expect(try redis.call("SCRIPT EXISTS \(Idempotency.scriptDigest)").contains("integer(1)"))
        #expect(bench.pool.breakerState == .closed && bench.lossReasons.isEmpty)
    }

    /// WAIT waits for what this connection wrote: a repeat must write, and must not make the key live longer.
    @Test(arguments: [0, 1])
    func `a repeat writes only where replicas are waited for`(replicas: Int) throws {
        let redis = try RealRedis()
        let bench = try bench(redis) {
            $0.waitReplicas = replicas
            $0.waitMilliseconds = 10
        }
        let first = try push(bench, key: named("d"))
        #expect(first == (replicas == 0 ? .queued(depth: 1) : .failed(.notReplicated(acknowledged: 0))))
        let key = named("d").key.text
        try redis.call("EXPIRE \(key) 50")
        let writes = try redis.info("rdb_changes_since_last_save")
        let second = try push(bench, key: named("d"))
        #expect(second == (replicas == 0 ? .existing(named("d").value) : .failed(.notReplicated(acknowledged: 0))))
        #expect(try redis.info("rdb_changes_since_last_save") - writes == replicas)
        #expect((1...50).contains(Int(try redis.call("TTL \(key)")) ?? 0))
        #expect(try redis.call("GET \(key)") == "value of d")
        #expect(try redis.call("LLEN \(queue)") == "1")
    }

    /// Redis 7.0 answers ERR to a script that runs a command without the right to it, unless the script asks for it before.
    @Test(arguments: [("set", "NOPERM"), ("evalsha", "NOPERM"), ("get", "ERR"), ("lpush", "ERR")])
    func `a named push of a user without a right to one of its commands pushes nothing`(right: String, word: String)
        throws
    {
        let redis = try RealRedis()
        try redis.call("ACL SETUSER joe on >p ~* +ping +client +eval +evalsha +get +set +lpush -\(right)")
        let bench = try bench(redis, credentials: "joe:p@")
        // Redis gets the script itself the first time, and its digest the second.
        for _ in 1...2 {
            let result = try push(bench, key: named("d"))
            let words = word == "NOPERM" ? [word] : [word, "NOPERM"]
            #expect(words.contains { result == .failed(.refused(.misconfigured, word: $0)) }, "\(result)")
        }
        #expect(try redis.call("LLEN \(queue)") == "0" && redis.call("EXISTS \(named("d").key.text)") == "0")
        #expect(bench.breakerChanges.isEmpty, "a plain push may still go")
    }

    @Test func `a user with the least rights pushes`() throws {
        let redis = try RealRedis()
        try redis.call(
            "ACL SETUSER joe on >p ~enhancement:queue ~{enhancement:queue}:seen:* +evalsha +eval +get +set +lpush")
        let bench = try bench(redis, credentials: "joe:p@")
        #expect(try push(bench) == .queued(depth: 1))
        #expect(try push(bench, key: named("d")) == .queued(depth: 2))
        #expect(try push(bench, key: named("d")) == .existing(named("d").value))
    }

    @Test func `a wrong password, or none, is no connection`() throws {
        let redis = try RealRedis()
        try redis.call("ACL SETUSER joe on >p ~* +@all")
        let bench = try Bench(url: "unix://joe:wrong@\(redis.url.dropFirst(7))")
        #expect(try bench.await(bench.push()) == .failed(.notConnected))
        #expect(bench.dialFailures.count == 1 && bench.dialFailures[0].hasPrefix("Redis answered WRONGPASS"))
        try redis.call("CONFIG SET requirepass secret")
        let other = try Bench(url: redis.url)
        #expect(try other.await(other.push()) == .failed(.notConnected))
        #expect(other.dialFailures[0].hasPrefix("Redis answered NOAUTH"))
        #expect(try self.bench(redis, credentials: ":secret@").pool.isUsable)
    }

    @Test(arguments: [false, true])
    func `a queue's key of another type is a refusal, and sets no idempotency key`(isNamed: Bool) throws {
        let redis = try RealRedis()
        try redis.call("SET \(queue) text")
        let bench = try bench(redis)
        let result = try push(bench, key: isNamed ? named("d") : nil)
        #expect(result == .failed(.refused(.misconfigured, word: "WRONGTYPE")))
        #expect(try redis.call("EXISTS \(named("d").key.text)") == "0", "a push that failed leaves no idempotency key")
    }

    @Test(arguments: [false, true])
    func `without memory Redis refuses pushes until it has some`(isNamed: Bool) throws {
        let redis = try RealRedis()
        let bench = try bench(redis)
        // The script is known: it is not for want of memory for it that the push fails.
        #expect(try push(bench, key: named("other")) == .queued(depth: 1))
        try redis.call("CONFIG SET maxmemory 1")
        #expect(try push(bench, key: isNamed ? named("d") : nil) == .failed(.refused(.writesRefused, word: "OOM")))
        #expect(bench.tryPush() == .breakerOpen)
        try redis.call("CONFIG SET maxmemory 0")
        #expect(try push(bench, key: isNamed ? named("d") : nil) == .queued(depth: 2))
        #expect(bench.breakerChanges == [true, false])
    }

    @Test func `a replica is left until it is the primary again`() throws {
        let redis = try RealRedis()
        let bench = try bench(redis) { $0.attempts = 100 }
        try redis.call("REPLICAOF 127.0.0.1 1")
        let waiters = (1...3).map { bench.push("\($0)") }
        try bench.run { bench.lossReasons.count >= 2 }
        #expect(bench.lossReasons.allSatisfy { $0.hasPrefix("Redis answered READONLY") } && bench.results.isEmpty)
        try redis.call("REPLICAOF NO ONE")
        for (index, waiter) in waiters.enumerated() { #expect(try bench.await(waiter) == .queued(depth: index + 1)) }
    }

    @Test func `too few replicas are a refusal`() throws {
        let redis = try RealRedis()
        let bench = try bench(redis)
        try redis.call("CONFIG SET min-replicas-to-write 1")
        #expect(try push(bench) == .failed(.refused(.tooFewReplicas, word: "NOREPLICAS")))
        #expect(try push(bench, key: named("d")) == .failed(.refused(.tooFewReplicas, word: "NOREPLICAS")))
    }

    @Test func `too many clients are a failure to connect, until there is room`() throws {
        let redis = try RealRedis()
        try redis.call("CONFIG SET maxclients 1")
        let bench = try Bench(url: redis.url) { $0.attempts = 3 }
        #expect(try bench.await(bench.push()) == .failed(.notConnected))
        #expect(bench.dialFailures == ["Redis answered ERR: Redis has reached maxclients"])
        try redis.call("CONFIG SET maxclients 100")
        #expect(try push(bench) == .queued(depth: 1))
    }

    @Test func `a client that is killed connects again`() throws {
        let redis = try RealRedis()
        let bench = try bench(redis)
        #expect(try redis.call("CLIENT LIST").contains("name=servicedesk-responder"))
        try redis.call("CLIENT KILL TYPE normal SKIPME yes")
        try bench.run { !bench.lossReasons.isEmpty }
        #expect(try push(bench) == .queued(depth: 1))
    }

    @Test func `the tool's queue is read, pushed to, and worked off`() throws {
        let redis = try RealRedis()
        let service = QueueService(redis.client, key: utf8(queue))
        #expect(try service.depth() == 0 && service.oldest() == nil && service.peek(10) == [])
        for number in 1...5 { #expect(try service.push(utf8("job \(number)\r\n")) == number) }
        #expect(try service.peek(2) == [utf8("job 1\r\n"), utf8("job 2\r\n")], "the oldest first")
        #expect(try service.peek(0).count == 1 && service.peek(.max).count == 5)
        #expect(try service.depth() == 5)
        #expect(try service.oldest() == utf8("job 1\r\n"))
        #expect(try service.remove(utf8("job 1\r\n")))
        #expect(try !service.remove(utf8("job 1\r\n")), "somebody else was quicker")
        let big = [UInt8](repeating: 0x78, count: 2_000_000)
        #expect(try service.push(big) == 5)
        #expect(try service.peek(5).last == big)
        for _ in 0..<20 { _ = try service.push(big) }
        #expect(try service.peek(1000).count == 25)
        try redis.call("DEL \(queue)")
        try redis.call("SET \(queue) text")
        let error = #expect(throws: ClientFailure.self) { try service.depth() }
        #expect(error?.description == "Redis answered WRONGTYPE: the key holds something of another type")
        try redis.call("DEL \(queue)")
        #expect(try service.depth() == 0, "a refusal leaves the connection good")
    }
}
