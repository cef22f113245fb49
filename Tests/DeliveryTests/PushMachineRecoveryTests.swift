import RESP
import System
import TestSupport
import Testing

@testable import Delivery

/// How pushes are refused, and how the machine finds out that Redis takes them again.
struct PushMachineRecoveryTests {
    private let refusal = error("NOPERM this user has no permissions to run the command")

    // MARK: The breaker's probe

    /// A machine whose breaker is open because Redis is out of memory.
    private func refused() throws -> Rig {
        let rig = Rig()
        try rig.connect()
        rig.push()
        rig.reply(error("OOM no"))
        #expect(rig.breakerChanges == [true] && rig.tryPush() == .breakerOpen)
        return rig
    }

    /// Lets time pass until a push is admitted, which is the probe.
    private func probe(_ rig: Rig, named name: String? = nil) -> UInt64 {
        for _ in 1...80 where !rig.isUsable { rig.pass(.milliseconds(10)) }
        let waiter = rig.push("probe", named: name)
        #expect(rig.tryPush() == .breakerOpen, "one at a time")
        return waiter
    }

    @Test func `after 400 to 800 ms one push is admitted, and its success closes the breaker`() throws {
        let rig = try refused()
        rig.pass(.milliseconds(399))
        #expect(rig.tryPush() == .breakerOpen && !rig.isUsable)
        rig.pass(.milliseconds(401))
        #expect(rig.isUsable)
        let waiter = probe(rig)
        rig.reply(.integer(1))
        #expect(rig.result(of: waiter) == .queued(depth: 1) && rig.breakerChanges == [true, false])
        rig.push()
    }

    @Test(arguments: ["OOM no", "LOADING wait", "READONLY no", "NOAUTH who", "NOREPLICAS none", "WRONGTYPE no"])
    func `a probe that is refused is followed by another`(text: String) throws {
        let rig = try refused()
        _ = probe(rig)
        rig.reply(error(text))
        #expect(rig.machine.breakerState != .probing && rig.tryPush() == .breakerOpen)
        rig.pass(.seconds(3.1))
        if rig.dial != nil { try rig.connect() }
        #expect(rig.isUsable && rig.breakerChanges == [true])
    }

    @Test(arguments: [false, true])
    func `a probe that is lost is followed by another`(isNamed: Bool) throws {
        let rig = try refused()
        let waiter = probe(rig, named: isNamed ? "d" : nil)
        rig.lose(0)
        #expect(rig.tryPush() == .breakerOpen)
        rig.pass(.milliseconds(100))
        try rig.connect()
        #expect(rig.result(of: waiter) == (isNamed ? nil : .failed(.ambiguous)))
        rig.pass(.seconds(9))
        #expect(rig.machine.breakerState != .probing && rig.result(of: waiter) == .failed(.ambiguous))
    }

    @Test func `a probe without a reply is followed by another at its deadline`() throws {
        let rig = Rig { $0.replyTimeout = .seconds(60) }
        try rig.connect()
        rig.push()
        rig.reply(error("OOM no"))
        let waiter = probe(rig)
        rig.pass(.seconds(8))
        #expect(rig.result(of: waiter) == .failed(.ambiguous))
        rig.pass(.milliseconds(800))
        #expect(rig.isUsable)
    }

    @Test func `a refusal that concerns named pushes alone leaves the breaker closed`() throws {
        let rig = Rig()
        try rig.connect()
        let waiter = rig.push(named: "d")
        rig.reply(refusal)
        #expect(rig.result(of: waiter) == .failed(.refused(.misconfigured, word: "NOPERM")))
        #expect(rig.isUsable && rig.breakerChanges.isEmpty)
    }

    @Test func `while Redis cannot be reached it is dialled within 800 ms of each failure`() throws {
        let rig = Rig { $0.attempts = 3 }
        for failures in 1...40 {
            let failedAt = rig.now
            rig.fail()
            rig.pass(.seconds(1))
            let delay = try #require(rig.dialTimes.last).since(failedAt)
            let range: ClosedRange<UInt64> = failures < 3 ? 500_000_000...1_000_000_000 : 2_000_000...800_000_000
            #expect(range.contains(delay), "\(delay) ns after failure \(failures)")
        }
        #expect(rig.breakerChanges == [true] && rig.tryPush() == .breakerOpen)
        try rig.connect()
        #expect(rig.breakerChanges == [true, false] && rig.isUsable)
    }

    /// With two others: one that is lost, and one that cannot be made.
    @Test func `a connection whose check of WAIT ends after the breaker has opened closes it`() throws {
        let rig = Rig {
            $0.waitReplicas = 1
            $0.attempts = 1
        }
        try rig.connect()
        rig.reply(.integer(0))
        rig.push()
        rig.push()
        try rig.connect()
        rig.push()
        #expect(rig.dial?.slot == 2 && rig.hasLane(1) && !rig.hasLane(2))
        rig.lose(0)
        rig.fail()
        #expect(rig.machine.breakerState == .unreachable)
        rig.reply(.integer(0), on: 1)
        #expect(rig.isUsable && rig.breakerChanges == [true, false])
        rig.push()
        #expect(try rig.jobs(on: 1) == ["job"])
    }

    // MARK: The right to WAIT

    private func waiting() -> Rig {
        Rig {
            $0.waitReplicas = 1
            $0.waitMilliseconds = 100
        }
    }

    @Test func `a connection takes pushes once WAIT is known to be allowed`() throws {
        let rig = waiting()
        let waiter = rig.push("early")
        try rig.connect()
        #expect(try rig.commands() == [["WAIT", "0", "0"]] && !rig.isUsable)
        rig.reply(.integer(0))
        #expect(try rig.commands() == [["LPUSH", "q", "early"], ["WAIT", "1", "100"]])
        rig.reply(.integer(5))
        #expect(rig.results.isEmpty)
        rig.reply(.integer(1))
        #expect(rig.result(of: waiter) == .queued(depth: 5))
    }

    @Test func `without the right to WAIT nothing is written but a check every 1.5 to 3 s`() throws {
        let rig = waiting()
        let waiter = rig.push("early")
        try rig.connect()
        _ = try rig.commands()
        rig.reply(refusal)
        #expect(rig.result(of: waiter) == .failed(.refused(.misconfigured, word: "NOPERM")))
        for _ in 1...5 {
            let last = rig.now
            #expect(rig.tryPush() == .breakerOpen)
            let wake = rig.machine.wakeAt
            #expect((1_500_000_000...3_000_000_000).contains(wake.since(last)))
            rig.pass(Nanoseconds(wake.since(last)))
            #expect(try rig.commands() == [["WAIT", "0", "0"]])
            rig.reply(refusal)
        }
        rig.pass(.seconds(3))
        #expect(try rig.commands() == [["WAIT", "0", "0"]])
        rig.reply(.integer(0))
        #expect(rig.breakerChanges == [true, false] && rig.isUsable)
        rig.pass(.seconds(60))
        #expect(try rig.commands().isEmpty, "it is not asked again")
    }

    @Test func `a right to WAIT that is taken away fails what it was to confirm, and refuses the rest`() throws {
        let rig = waiting()
        try rig.connect()
        rig.reply(.integer(0))
        let waiter = rig.push()
        rig.reply(.integer(1), refusal)
        #expect(rig.result(of: waiter) == .failed(.notConfirmed(word: "NOPERM")) && rig.tryPush() == .breakerOpen)
        // A new connection asks at once.
        rig.lose(0)
        rig.pass(.milliseconds(100))
        try rig.connect()
        #expect(try rig.commands() == [["WAIT", "0", "0"]])
        rig.reply(.integer(0))
        rig.push()
    }

    @Test func `a Redis that is loading has not refused WAIT`() throws {
        let rig = waiting()
        try rig.connect()
        rig.reply(error("LOADING wait"))
        #expect(rig.isUsable && rig.breakerChanges.isEmpty)
    }

    @Test func `"not now" to a check of WAIT is not answered by another check at once`() throws {
        let rig = waiting()
        try rig.connect()
        rig.reply(refusal)
        _ = try rig.commands()
        for _ in 1...5 {
            rig.pass(Nanoseconds(rig.machine.wakeAt.since(rig.now)))
            #expect(try rig.commands() == [["WAIT", "0", "0"]])
            rig.reply(error("LOADING wait"))
            #expect(try rig.commands().isEmpty && rig.machine.wakeAt.since(rig.now) >= 1_500_000_000)
        }
        #expect(rig.tryPush() == .breakerOpen)
    }

    // MARK: The queue's length

    /// A queue that has just become full.
    private func full() throws -> Rig {
        let rig = Rig { $0.maxDepth = 10 }
        try rig.connect()
        rig.push()
        _ = try rig.commands()
        rig.reply(.integer(10))
        #expect(rig.tryPush() == .queueFull && rig.machine.retryAfter == 30)
        return rig
    }

    @Test func `a full queue is asked for its length every 250 ms until it is shorter`() throws {
        let rig = try full()
        rig.pass(.milliseconds(249))
        // Refused pushes end turns too, and must not put the next look off.
        #expect(rig.tryPush() == .queueFull)
        rig.turn()
        #expect(try rig.commands().isEmpty)
        rig.pass(.milliseconds(1))
        for length in [110, 60] as [Int64] {
            #expect(try rig.commands() == [["LLEN", "q"]])
            rig.reply(.integer(length))
            rig.pass(.milliseconds(250))
        }
        // 50 jobs in 250 ms: the last 51 take as long again, and a little more.
        #expect(rig.machine.retryAfter == 1 && rig.tryPush() == .queueFull)
        #expect(try rig.commands() == [["LLEN", "q"]])
        rig.reply(.integer(9))
        rig.push()
        rig.reply(.integer(9))
        rig.pass(.seconds(60))
        #expect(try rig.jobs().count == 1 && rig.commands().isEmpty, "it is not asked again")
    }

    @Test func `a length that is on its way is not asked for again`() throws {
        let rig = try full()
        rig.pass(.seconds(3))
        #expect(try rig.commands() == [["LLEN", "q"]])
        // Lost, it is asked for on the next connection.
        rig.lose(0)
        rig.pass(.milliseconds(100))
        try rig.connect()
        rig.pass(.milliseconds(250))
        #expect(try rig.commands() == [["LLEN", "q"]])
    }

    @Test func `without the right to LLEN one push after the other tells the length, which is reported once`() throws {
        let rig = try full()
        for depth in [12, 11] as [Int64] {
            rig.pass(.milliseconds(250))
            #expect(try rig.commands() == [["LLEN", "q"]])
            rig.reply(refusal)
            rig.push()
            _ = try rig.commands()
            rig.reply(.integer(depth))
            #expect(rig.tryPush() == .queueFull)
        }
        #expect(rig.events.filter { $0 == .lengthRefused(word: "NOPERM") }.count == 1)
        // Once it is told the length again, a refusal is news.
        rig.pass(.milliseconds(250))
        rig.reply(.integer(10))
        rig.pass(.milliseconds(250))
        rig.reply(refusal)
        #expect(rig.events.filter { $0 == .lengthRefused(word: "NOPERM") }.count == 2)
    }
}
