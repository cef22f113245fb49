import RESP
import System
import TestSupport
import Testing

@testable import Delivery

/// A Redis that answers well or badly at random, and knows what it has executed.
private final class ChanceRedis {
    let rig: Rig
    private var random: SplitMix64
    private let slots: Int
    private var list: [String] = []
    private var keys: [String: String] = [:]
    /// Commands without a reply on each connection.
    private var pending: [[[String]]]
    private var closedCount = 0
    private var jobs: [UInt64: (job: String, name: String?)] = [:]
    private let errors = [
        "LOADING wait", "TRYAGAIN slot", "READONLY no", "NOAUTH who", "OOM no", "NOPERM no", "NOREPLICAS few",
        "MOVED 1 other:1", "MOVED 1 home:6379", "ASK 1 other:1", "ASK 1 third:1", "ERR max number of clients reached",
        "ERR Protocol error: no", "NOSCRIPT no", "WRONGTYPE no",
    ]

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        slots = Int.random(in: 1...3, using: &random)
        let (slots, waits, depth) = (
            slots, Int.random(in: 0...1, using: &random), Int.random(in: 0...1, using: &random)
        )
        rig = Rig(seed: seed) {
            $0.maxConnections = slots
            $0.waitReplicas = waits
            $0.waitMilliseconds = 100
            $0.maxDepth = depth * 20
            $0.attempts = 1 + Int(seed % 4)
        }
        pending = Array(repeating: [], count: slots)
        self.random = random
    }

    private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    // MARK: Redis

    /// Takes the commands that have come, and forgets those on connections that were closed.
    private func look() throws {
        for slot in rig.closed[closedCount...] {
            // Redis may have executed what it got, or not.
            while !pending[slot].isEmpty && chance(60) { _ = execute(pending[slot].removeFirst()) }
            pending[slot] = []
        }
        closedCount = rig.closed.count
        for slot in 0..<slots { pending[slot] += try rig.commands(on: slot) }
    }

    private func execute(_ command: [String]) -> Reply {
        switch command[0] {
        case "LPUSH":
            list.append(command[2])
            return .integer(Int64(list.count))
        case "EVALSHA", "EVAL":
            if let seen = keys[command[4]] { return .bulk(utf8(seen)) }
            keys[command[4]] = command[6]
            list.append(command[5])
            return .integer(Int64(list.count))
        case "WAIT": return .integer(1)
        case "LLEN": return .integer(Int64(chance(50) ? list.count : 3))
        default: return .simple(utf8("OK"))
        }
    }

    private func answer(_ slot: Int, errors percent: Int) throws {
        guard !pending[slot].isEmpty else { return }
        let command = pending[slot].removeFirst()
        if chance(percent), let text = errors.randomElement(using: &random),
            !(text.hasPrefix("NOSCRIPT") && command[0] != "EVALSHA")
        {
            rig.reply(error(text), on: slot)
        } else {
            rig.reply(execute(command), on: slot)
        }
        try look()
    }

    // MARK: Steps

    func step(_ number: Int) throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<35:
            let name = chance(50) ? "d\(Int.random(in: 0..<6, using: &random))" : nil
            let job = "job \(number)"
            if let waiter = rig.pushIfTaken(job, named: name) { jobs[waiter] = (job, name) }
        case 35..<65: try answer(Int.random(in: 0..<slots, using: &random), errors: 25)
        case 65..<75:
            guard rig.dial != nil else { break }
            if chance(70) { try rig.connect() } else { rig.fail() }
        case 75..<80:
            let slot = Int.random(in: 0..<slots, using: &random)
            if rig.hasLane(slot) { rig.lose(slot) }
        case 80..<88:
            let slot = Int.random(in: 0..<slots, using: &random)
            rig.room[slot] = chance(50) ? .max : Int.random(in: 0..<200, using: &random)
            rig.turn()
        default: rig.pass(.milliseconds(UInt64.random(in: 0...900, using: &random)))
        }
        try look()
    }

    /// From here on all goes well: each push has its result, and a new one is queued.
    func settle() throws {
        for round in 0..<600 {
            if rig.dial != nil { try rig.connect() }
            for slot in 0..<slots {
                rig.room[slot] = .max
                rig.turn()
                try look()
                while !pending[slot].isEmpty { try answer(slot, errors: 0) }
            }
            if (201..<500).contains(round) && rig.machine.pendingCount == 0 {
                if rig.isUsable, let waiter = rig.pushIfTaken("last \(round)") { jobs[waiter] = ("last \(round)", nil) }
            }
            rig.pass(.milliseconds(50))
            try look()
        }
    }

    func check(seed: UInt64) {
        #expect(rig.machine.pendingCount == 0 && rig.machine.pendingBytes == 0, "seed \(seed)")
        #expect(rig.results.count == jobs.count && rig.isUsable, "seed \(seed)")
        let counts = Dictionary(list.map { ($0, 1) }, uniquingKeysWith: +)
        for (waiter, push) in jobs {
            let count = counts[push.job] ?? 0
            switch rig.result(of: waiter) {
            case .queued: #expect(count == 1, "\(push.job) was called queued, seed \(seed)")
            case .existing: #expect(push.name != nil)
            case .failed(let failure) where failure.mayBeQueued:
                #expect(count <= 1, "\(push.job) is there twice, seed \(seed)")
            case .failed(let failure):
                #expect(count == 0, "\(push.job) is there, and was called \(failure), seed \(seed)")
            case nil: Issue.record("\(push.job) has no result, seed \(seed)")
            }
        }
        let isLastQueued = rig.results.last.map { if case .queued = $0.result { true } else { false } }
        #expect(isLastQueued == true, "it does not work again, seed \(seed)")
    }
}

struct PushMachineRandomTests {
    /// 100 histories of 300 steps each, which its seed decides.
    @Test(arguments: 0..<UInt64(10))
    func `whatever happens, each push has one true result, and in the end all is well`(ten: UInt64) throws {
        for seed in ten * 10..<ten * 10 + 10 {
            let redis = ChanceRedis(seed: seed)
            for number in 1...300 { try redis.step(number) }
            try redis.settle()
            redis.check(seed: seed)
        }
    }
}
