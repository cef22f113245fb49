import Bytes
import RESP
import System
import TestSupport
import Testing

@testable import Delivery

/// A push machine without sockets: the test plays the clock, the kernel and Redis.
final class Rig {
    static let home = Endpoint.tcp(host: "home", port: 6379)

    private(set) var machine: PushMachine
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    /// The dial that is under way, and when each began.
    private(set) var dial: (slot: Int, endpoint: Endpoint)?
    private(set) var dialTimes: [Instant] = []
    /// The connections that the machine has closed, in that order.
    private(set) var closed: [Int] = []
    private(set) var results: [(waiter: UInt64, result: PushResult)] = []
    private(set) var events: [DeliveryEvent] = []
    /// Bytes that the kernel still takes on each connection.
    var room: [Int]
    /// Bytes that it has taken since the connection was made, and those of commands at which the test has not looked.
    private var delivered: [UInt64]
    private var received: [[UInt8]]
    private var nextWaiter: UInt64 = 1

    init(seed: UInt64 = 1, _ change: (inout DeliveryPolicy) -> Void = { _ in }) {
        var policy = DeliveryPolicy(queue: "q")
        change(&policy)
        machine = PushMachine(policy: policy, home: Rig.home, seed: seed, at: now)
        room = Array(repeating: .max, count: policy.maxConnections)
        delivered = Array(repeating: 0, count: policy.maxConnections)
        received = Array(repeating: [], count: policy.maxConnections)
        act()
    }

    // MARK: Driving

    /// Ends a turn as the driver does.
    func turn() {
        machine.endTurn(at: now)
        act()
        for slot in room.indices { send(on: slot) }
        act()
    }

    private func send(on slot: Int) {
        guard machine.hasUnsent(slot) else { return }
        let limit = room[slot]
        let bytes = machine.withUnsent(on: slot) { unsent in
            let first = unsent.extracting(first: limit)
            return first.indices.map { first[$0] }
        }
        if room[slot] != .max { room[slot] -= bytes.count }
        delivered[slot] += UInt64(bytes.count)
        received[slot] += bytes
        machine.sent(bytes.count, delivered: delivered[slot], on: slot)
    }

    private func act() {
        for action in machine.takeActions() {
            switch action {
            case .dial(let slot, let endpoint):
                #expect(dial == nil, "one dial at a time")
                dial = (slot, endpoint)
                dialTimes.append(now)
            case .giveUpDial: dialFailed(.connectTimedOut)
            case .close(let slot):
                closed.append(slot)
                if dial?.slot == slot { dial = nil }
                (delivered[slot], received[slot], room[slot]) = (0, [], .max)
            case .forgetAddresses: break
            }
        }
        var batch: [Completion] = []
        machine.takeCompletions(into: &batch)
        for completion in batch {
            #expect(result(of: completion.waiter) == nil, "push \(completion.waiter) completed twice")
            results.append((completion.waiter, completion.result))
        }
        events += machine.takeEvents()
    }

    /// Lets time pass, and ticks whenever the machine wants to be woken. Returns how often that was.
    @discardableResult
    func pass(_ delay: Nanoseconds, sourceLocation: SourceLocation = #_sourceLocation) -> Int {
        let end = now + delay
        var count = 0
        while machine.wakeAt <= end {
            now = max(now, machine.wakeAt)
            machine.tick(at: now)
            act()
            turn()
            count += 1
            guard machine.wakeAt > now else {
                Issue.record("after a tick another is due at once", sourceLocation: sourceLocation)
                break
            }
        }
        now = end
        return count
    }

    // MARK: Connections

    /// The dial that is under way succeeds. Returns its slot.
    @discardableResult
    func connect(sourceLocation: SourceLocation = #_sourceLocation) throws -> Int {
        let slot = try #require(dial?.slot, "nothing is dialled", sourceLocation: sourceLocation)
        dial = nil
        machine.connected(at: now)
        act()
        turn()
        return slot
    }

    /// The dial that is under way fails.
    func fail() {
        dialFailed(.connect(111))
        act()
        turn()
    }

    private func dialFailed(_ cause: ConnectionFailure) {
        dial = nil
        machine.dialFailed(cause, hasMoreAddresses: false, at: now)
    }

    func lose(_ slot: Int, _ cause: ConnectionFailure = .closedByRedis) {
        machine.lose(slot, cause, at: now)
        act()
        turn()
    }

    // MARK: Redis

    /// The whole commands that Redis has got since the last call, without those that were written to it before.
    func commands(on slot: Int = 0) throws -> [[String]] {
        var parser = ReplyParser()
        var commands: [[String]] = []
        let bytes = received[slot]
        while case .array(let arguments?) = try parser.next(in: bytes.span) {
            commands.append(arguments.map { if case .bulk(let bytes?) = $0 { bytes.text } else { "?" } })
        }
        received[slot].removeFirst(parser.consumed)
        return commands
    }

    /// The jobs among those commands.
    func jobs(on slot: Int = 0) throws -> [String] {
        try commands(on: slot).compactMap { command in
            switch command[0] {
            case "LPUSH": command[2]
            case "EVALSHA", "EVAL": command[5]
            default: nil
            }
        }
    }

    /// Redis answers, all in one turn.
    func reply(_ replies: Reply..., on slot: Int = 0) {
        for reply in replies { machine.reply(reply, on: slot, at: now) }
        machine.repliesEnded(on: slot, at: now)
        act()
        turn()
    }

    // MARK: Pushes

    /// Pushes a job that must be taken, and ends the turn. Returns its waiter.
    @discardableResult
    func push(_ job: String = "job", named name: String? = nil, sourceLocation: SourceLocation = #_sourceLocation)
        -> UInt64
    {
        let refusal = tryPush(job, named: name)
        if let refusal { Issue.record("the push was refused: \(refusal)", sourceLocation: sourceLocation) }
        turn()
        return nextWaiter - 1
    }

    func tryPush(_ job: String = "job", named name: String? = nil) -> PushRefusal? {
        defer { nextWaiter += 1 }
        let key = name.map { IdempotencyKey(key: utf8("{q}:seen:\($0)"), value: utf8("value of \($0)")) }
        return machine.push(utf8(job).span, key: key, waiter: nextWaiter, at: now)
    }

    /// The waiter, or nil where the push is refused; and ends the turn.
    func pushIfTaken(_ job: String, named name: String? = nil) -> UInt64? {
        guard tryPush(job, named: name) == nil else { return nil }
        turn()
        return nextWaiter - 1
    }

    func result(of waiter: UInt64) -> PushResult? { results.first { $0.waiter == waiter }?.result }

    var isUsable: Bool { machine.isUsable(at: now) }
    func hasLane(_ slot: Int) -> Bool { machine.lanes[slot] != nil }
    func isBlocked(_ slot: Int) -> Bool { machine.isBlocked(slot) }

    /// Changes of the breaker: true where it opened.
    var breakerChanges: [Bool] {
        events.compactMap { event in
            switch event {
            case .breakerOpened: true
            case .breakerClosed: false
            default: nil
            }
        }
    }
}

/// An error reply.
func error(_ text: String) -> Reply { .error(utf8(text)) }
