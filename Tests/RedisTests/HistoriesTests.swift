import EventLoop
import Glibc
import RESP
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Servers that do anything that Redis may do, and the books afterwards.
private final class World {
    var random: SplitMix64
    let bench: FakeBench
    let waits: Bool
    var list: [String: Int] = [:]
    var marks: [String: String] = [:]
    var taken: [ObjectIdentifier: Int] = [:]
    var asking: Set<ObjectIdentifier> = []
    var isCalm = false
    var jobs: [UInt64: (job: String, name: String?)] = [:]
    var number = 0

    init(seed: UInt64, _ change: (inout DeliveryPolicy) -> Void) throws {
        var random = SplitMix64(seed: seed)
        let connections = [1, 1, 2, 3, 10].randomElement(using: &random)!
        let waits = Bool.random(using: &random)
        self.waits = waits
        let url = ["redis://127.0.0.1:6379", "redis://home.example:6379"].randomElement(using: &random)!
        let depth = [0, 0, 60].randomElement(using: &random)!
        bench = try FakeBench(url) {
            $0.maxDepth = depth
            $0.maxConnections = connections
            $0.waitReplicas = waits ? 1 : 0
            $0.waitMilliseconds = waits ? 50 : 0
            $0.retryDelay = .milliseconds(20)
            $0.pushDeadline = .milliseconds(1500)
            $0.replyTimeout = .milliseconds(700)
            $0.connectTimeout = .milliseconds(300)
            $0.idleTimeout = .milliseconds(500)
            change(&$0)
        }
        self.random = random
        bench.network.isFailing = { [unowned self] in !isCalm && chance(10) }
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    /// The next command that a server has whole.
    func next(_ transport: FakeTransport) -> [String]? {
        let begin = taken[ObjectIdentifier(transport), default: 0]
        guard begin < transport.sent.count else { return nil }
        let bytes = Array(transport.sent[begin...])
        var parser = ReplyParser()
        guard case .array(let words?)? = try? parser.next(in: bytes.span) else { return nil }
        taken[ObjectIdentifier(transport)] = begin + parser.consumed
        return words.map { if case .bulk(let word?) = $0 { word.text } else { "?" } }
    }

    func execute(_ command: [String]) -> String {
        switch command[0] {
        case "PING": return "+PONG\r\n"
        case "LPUSH":
            list[command[2], default: 0] += 1
            return ":\(list.count)\r\n"
        case "EVAL", "EVALSHA":
            if let seen = marks[command[4]] { return "$\(seen.utf8.count)\r\n\(seen)\r\n" }
            marks[command[4]] = command[6]
            list[command[5], default: 0] += 1
            return ":\(list.count)\r\n"
        case "WAIT": return command[1] == "0" ? ":0\r\n" : chance(80) || isCalm ? ":1\r\n" : ":0\r\n"
        case "LLEN": return ":3\r\n"
        default: return "+OK\r\n"
        }
    }

    static let errors = [
        "LOADING l", "TRYAGAIN t", "READONLY r", "OOM o", "NOREPLICAS n", "NOAUTH a", "NOPERM p", "WRONGTYPE w",
        "NOSCRIPT s", "CLUSTERDOWN c", "ERR max number of clients reached", "ERR Protocol error: x",
        "MOVED 1 127.0.0.1:7000", "MOVED 1 127.0.0.1:7001", "MOVED 1 127.0.0.1:6379", "ASK 1 127.0.0.1:7000",
        "MOVED 1 a.example:7002", "ASK 1 b.example:7003", "MOVED 1 home.example:6379",
        "ASK 1 127.0.0.1:7001", "ASK 1 127.0.0.1:6379", "MOVED 1 ?:1", "ERR WAIT cannot be used with replica instances",
    ]

    func serve(_ transport: FakeTransport) {
        if transport.isClosed {
            // What it had whole it may execute all the same.
            while let command = next(transport) { if chance(50) { _ = execute(command) } }
            return
        }
        if transport.isBroken {
            while chance(50), let command = next(transport) { _ = execute(command) }
            return bench.event(transport)
        }
        if transport.sent.isEmpty {
            guard isCalm || chance(60) else { return }
            transport.establishment =
                isCalm || chance(85)
                ? .established : chance(50) ? .underWay(wantsRoom: chance(50)) : .failed(ECONNREFUSED)
        }
        var replies = ""
        while let command = next(transport) {
            if isCalm || chance(80) {
                replies += execute(command)
            } else if chance(70) {
                replies += "-\(World.errors.randomElement(using: &random)!)\r\n"
            } else {
                if chance(50) { _ = execute(command) }
                transport.isBroken = true
                break
            }
            if !isCalm && chance(5) { break }
        }
        if !isCalm && chance(2) { transport.isBroken = true }
        if !replies.isEmpty {
            // In two pieces.
            let cut = Int.random(in: 0...replies.utf8.count, using: &random)
            let bytes = utf8(replies)
            if cut > 0 { transport.arrive(bytes[..<cut].map { $0 }.text) }
            if cut < bytes.count { transport.arrive(bytes[cut...].map { $0 }.text) }
        }
        transport.room = isCalm || chance(85) ? .max : Int.random(in: 0...120, using: &random)
        // As epoll tells: only what there is.
        var readiness: Readiness = []
        if !replies.isEmpty { readiness.insert(.readable) }
        if transport.wantsRoom && transport.room > 0 { readiness.insert(.writable) }
        if !readiness.isEmpty { bench.event(transport, readiness) }
    }

    func step() {
        if !isCalm {
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                number += 1
                let job = "job-\(number)-"
                let name = chance(50) ? "n\(number)" : nil
                guard let waiter = bench.tryPush(job, key: name.map { named($0) }) else { continue }
                jobs[waiter] = (job, name)
            }
            bench.turn()
        }
        for transport in bench.network.connections.suffix(30) { serve(transport) }
        for lookUp in bench.network.lookUps where isCalm || chance(20) {
            lookUp.found = []
            for _ in 0..<(isCalm ? 1 : Int.random(in: 0...3, using: &random)) {
                lookUp.found! += SocketAddress.resolve(host: "127.0.0.1", port: lookUp.port, isNumeric: true)
            }
            bench.pool.lookUpEvent(lookUp.token)
            bench.turn()
        }
        bench.network.now =
            bench.network.now + .milliseconds(UInt64.random(in: 0...(chance(3) ? 400 : 4), using: &random))
        var rounds = 0
        while bench.network.takeDue(), rounds < 60 {
            bench.pool.timerFired()
            rounds += 1
        }
        if rounds > 0 { bench.turn() }
        if rounds >= 60 { Issue.record("it spins: \(bench.pool.machine.wakeAt), \(bench.events.suffix(4))") }
    }

    func close(_ seed: UInt64) {
        isCalm = true
        for _ in 0..<3000 { step() }
        #expect(bench.pool.pendingCount == 0 && bench.pool.pendingBytes == 0, "seed \(seed)")
        for (waiter, entry) in jobs {
            let count = list[entry.job, default: 0]
            switch bench.results[waiter] {
            case nil: Issue.record("seed \(seed): \(entry.job) has no result")
            case .queued: #expect(count == 1, "seed \(seed): \(entry) was called queued")
            case .existing: #expect(count == 1 && entry.name != nil, "seed \(seed): \(entry)")
            case .failed(let failure) where failure.mayBeQueued:
                #expect(count <= 1, "seed \(seed): \(entry) \(failure)")
            case .failed(let failure): #expect(count == 0, "seed \(seed): \(entry) \(failure)")
            }
        }
        #expect(bench.pool.isUsable, "seed \(seed): \(bench.pool.breakerState) \(bench.events.suffix(5))")
    }
}

struct HistoriesTests {
    @Test func `any history ends with right books`() throws {
        for seed in 0..<60 as Range<UInt64> {
            let world = try World(seed: seed) { _ in }
            for _ in 0..<300 { world.step() }
            world.close(seed)
        }
    }
}
