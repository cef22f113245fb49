import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// A Redis in which nothing goes wrong: its list and its keys.
private final class Model {
    private(set) var list: [String] = []
    private var keys: [String: String] = [:]

    func answer(_ command: [String]) -> String {
        switch command[0] {
        case "PING": return "+PONG\r\n"
        case "LPUSH": return push(command[2])
        case "EVALSHA", "EVAL":
            if let seen = keys[command[4]] { return "$\(seen.utf8.count)\r\n\(seen)\r\n" }
            keys[command[4]] = command[6]
            return push(command[5])
        case "WAIT": return ":1\r\n"
        default: return "+OK\r\n"
        }
    }

    private func push(_ job: String) -> String {
        list.append(job)
        return ":\(list.count)\r\n"
    }
}

/// Pushes, and compares at the end what was said of each push with what is in the queue.
private final class Ledger {
    let bench: Bench
    let model = Model()
    private var jobs: [UInt64: String] = [:]
    private var deliveries: [UInt64: String] = [:]
    private(set) var refusals = 0

    init(_ redis: ScriptedRedis, _ change: (inout DeliveryPolicy) -> Void) throws {
        bench = try Bench(redis) {
            $0.retryDelay = .milliseconds(1)
            change(&$0)
        }
    }

    func push(_ job: String, delivery: String? = nil) {
        if bench.tryPush(job, key: delivery.map { named($0) }) != nil {
            refusals += 1
            return
        }
        jobs[bench.lastWaiter] = job
        deliveries[bench.lastWaiter] = delivery
    }

    /// Waits until every push has its result, and every command its reply, and compares.
    func close() throws {
        try bench.run { bench.pool.pendingCount == 0 && bench.pool.pendingBytes == 0 }
        #expect(bench.results.count == jobs.count)
        let counts = Dictionary(model.list.map { ($0, 1) }, uniquingKeysWith: +)
        var queued: [String: Int] = [:]
        for (waiter, job) in jobs {
            let count = counts[job] ?? 0
            let result = try #require(bench.result(of: waiter))
            switch result {
            case .queued: #expect(count == 1, "\(job) was called queued")
            case .existing: #expect(deliveries[waiter] != nil)
            case .failed(let failure) where failure.mayBeQueued: #expect(count <= 1, "\(job) is there more than once")
            case .failed: #expect(count == 0, "\(job) is there, and was called \(result)")
            }
            if let delivery = deliveries[waiter] { queued[delivery, default: 0] += count }
        }
        for (delivery, count) in queued { #expect(count <= 1, "\(delivery) is there more than once") }
        for (waiter, delivery) in deliveries {
            if case .failed = bench.result(of: waiter) { continue }
            #expect(queued[delivery] == 1, "\(delivery) is not there, and was called queued")
        }
    }

    /// Whatever has happened, it works again.
    func expectItWorks() throws {
        try bench.run { bench.pool.isUsable }
        let waiter = bench.push("last")
        guard case .queued = try bench.await(waiter) else {
            Issue.record("the last push failed: \(bench.results.suffix(3)), \(bench.events.suffix(5))")
            return
        }
    }
}

struct StressTests {
    /// How many bytes of three pushes Redis reads, or of their replies it sends, before the connection breaks.
    private enum Cut { case reading, answering }

    private func play(_ cut: Cut, at place: Int) throws -> (wasCut: Bool, ledger: Ledger) {
        let redis = try ScriptedRedis()
        let ledger = try Ledger(redis) { $0.maxConnections = 2 }
        var wasCut = false
        let model = ledger.model
        var first: Session?
        redis.welcome = { session in
            first = first ?? session
            if session === first && cut == .reading { session.readLimit = place }
        }
        var answered = 0
        redis.answer = { session, command in
            let reply = utf8(model.answer(command))
            guard cut == .answering, session === first, answered + reply.count > place else {
                answered += reply.count
                return reply.text
            }
            session.send(Array(reply.prefix(place - answered)))
            session.close()
            wasCut = true
            return nil
        }
        ledger.push("plain 1")
        ledger.push("named", delivery: "d")
        ledger.push("plain 2")
        try ledger.bench.run {
            if cut == .reading, let first, !first.isClosed, first.received.count == place {
                first.close()
                wasCut = true
            }
            return ledger.bench.pool.pendingCount == 0 || ledger.bench.results.count == 3
        }
        return (wasCut, ledger)
    }

    @Test func `the books are right wherever a command is cut off`() throws {
        for place in 0..<10_000 {
            let (wasCut, ledger) = try play(.reading, at: place)
            try ledger.close()
            guard wasCut else {
                #expect(place > 300, "every byte of a greeting and three pushes")
                return
            }
        }
    }

    @Test func `the books are right wherever a reply is cut off`() throws {
        for place in 0..<10_000 {
            let (wasCut, ledger) = try play(.answering, at: place)
            try ledger.close()
            guard wasCut else {
                #expect(place >= 24, "every byte of six replies")
                return
            }
        }
    }
}
