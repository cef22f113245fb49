import RESP
import System
import TestSupport
import Testing

@testable import Delivery

/// Where pushes go, in which order, and until when.
struct PushMachineTests {
    // MARK: Order

    /// The kernel has three of six pushes whole, and half of the fourth.
    private func cut(named: Bool) throws -> (rig: Rig, waiters: [UInt64]) {
        let rig = Rig { $0.maxConnections = 1 }
        try rig.connect()
        let probe = Rig()
        try probe.connect()
        for number in 1...3 { probe.push("\(number)", named: named ? "\(number)" : nil) }
        rig.room[0] = probe.machine.pendingBytes + 10
        let waiters = (1...6).map { rig.push("\($0)", named: named ? "\($0)" : nil) }
        #expect(try rig.jobs() == ["1", "2", "3"] && rig.isBlocked(0))
        return (rig, waiters)
    }

    @Test func `after a loss the plain pushes that were not written whole go first, in their order`() throws {
        let (rig, waiters) = try cut(named: false)
        rig.lose(0)
        #expect(rig.results.map(\.waiter) == Array(waiters[..<3]))
        #expect(rig.results.allSatisfy { $0.result == .failed(.ambiguous) })
        #expect(rig.events.last == .lost(.closedByRedis, ambiguous: 3, retried: 3))
        let young = rig.push("young")
        rig.pass(.milliseconds(100))
        try rig.connect()
        #expect(try rig.jobs() == ["4", "5", "6", "young"])
        rig.reply(.integer(1), .integer(2), .integer(3), .integer(4))
        #expect(rig.results[3...].map(\.waiter) == waiters[3...] + [young])
        #expect(rig.results[3...].map(\.result) == (1...4).map { .queued(depth: $0) })
        #expect(rig.machine.pendingCount == 0 && rig.machine.pendingBytes == 0)
    }

    @Test func `after a loss all named pushes are sent again in their order`() throws {
        let (rig, waiters) = try cut(named: true)
        rig.lose(0)
        #expect(rig.results.isEmpty && rig.events.last == .lost(.closedByRedis, ambiguous: 0, retried: 6))
        rig.push("young", named: "young")
        rig.pass(.milliseconds(100))
        try rig.connect()
        #expect(try rig.jobs() == ["1", "2", "3", "4", "5", "6", "young"])
        rig.reply(.bulk(utf8("v")), .integer(2))
        #expect(rig.result(of: waiters[0]) == .existing(utf8("v")) && rig.result(of: waiters[1]) == .queued(depth: 2))
    }

    @Test func `pushes that wait for a connection are sent in the order in which they were taken`() throws {
        let rig = Rig()
        for number in 1...4 { rig.push("\(number)") }
        try rig.connect()
        #expect(try rig.jobs() == ["1", "2", "3", "4"])
    }

    @Test func `a push without a connection is tried as often as allowed, and then fails`() throws {
        let rig = Rig { $0.attempts = 3 }
        let waiter = rig.push()
        for attempt in 1...3 {
            #expect(rig.result(of: waiter) == nil && rig.dialTimes.count == attempt)
            rig.fail()
            rig.pass(.seconds(1))
        }
        #expect(rig.result(of: waiter) == .failed(.notConnected))
        #expect(rig.events.first == .dialFailed(DialFailure(cause: .connect(111), redirectedTo: nil)))
    }

    // MARK: Connections

    /// Three connections, all idle.
    private func three(_ change: (inout DeliveryPolicy) -> Void = { _ in }) throws -> Rig {
        let rig = Rig(change)
        for slot in 0..<3 {
            #expect(try rig.connect() == slot)
            guard slot < 2 else { break }
            rig.room[slot] = 0
            // The first finds the connection free, the second finds it full.
            rig.push()
            rig.push()
            rig.pass(.milliseconds(100))
        }
        for slot in 0..<2 {
            rig.room[slot] = .max
            rig.turn()
            for _ in try rig.commands(on: slot) { rig.reply(.integer(1), on: slot) }
        }
        #expect(rig.machine.connectionCounts == (ready: 3, busy: 0, connecting: 0))
        #expect(rig.machine.pendingCount == 0)
        return rig
    }

    @Test func `idle connections are closed but for the first`() throws {
        let rig = try three { $0.idleTimeout = .seconds(60) }
        rig.pass(.seconds(59))
        #expect(rig.closed.isEmpty)
        rig.pass(.seconds(1))
        #expect(rig.closed.sorted() == [1, 2])
        #expect(rig.machine.wakeAt == .never, "nothing more is due")
        #expect(rig.pass(.seconds(600)) == 0 && rig.hasLane(0) && rig.dial == nil)
    }

    @Test func `a push keeps its connection from being idle`() throws {
        let rig = try three()
        rig.pass(.seconds(40))
        rig.room[0] = 0
        rig.push("a")
        rig.push("b")
        rig.reply(on: 1)
        rig.pass(.seconds(1))
        #expect(try rig.jobs(on: 1) == ["b"])
        rig.reply(.integer(1), on: 1)
        rig.room[0] = .max
        rig.turn()
        rig.reply(.integer(2))
        rig.pass(.seconds(30))
        #expect(rig.closed == [2])
        rig.pass(.seconds(31))
        #expect(rig.closed == [2, 1])
    }

    @Test func `without the first the next one that serves the queue stays`() throws {
        let rig = try three()
        rig.lose(0)
        rig.pass(.seconds(61))
        #expect(rig.closed == [0, 2] && rig.machine.wakeAt == .never)
        #expect(rig.isUsable && rig.dial == nil)
    }

    @Test func `a dial that is not answered is given up and made again`() {
        let rig = Rig { $0.connectTimeout = .seconds(5) }
        rig.pass(.seconds(4))
        #expect(rig.dialTimes.count == 1)
        rig.pass(.seconds(2))
        #expect(rig.dialTimes.count == 2 && rig.dialTimes[1].since(rig.dialTimes[0]) >= 5_500_000_000)
    }

    // MARK: Deadlines

    @Test func `a push without a connection times out at its deadline`() {
        let rig = Rig { $0.connectTimeout = .seconds(60) }
        let waiter = rig.push()
        rig.pass(.milliseconds(7_999))
        #expect(rig.result(of: waiter) == nil)
        rig.pass(.milliseconds(1))
        #expect(rig.result(of: waiter) == .failed(.timedOut))
        #expect(rig.machine.pendingCount == 0 && rig.machine.pendingBytes == 0)
    }

    @Test func `on one connection each push has its own deadline, whatever their order`() throws {
        let rig = Rig { $0.replyTimeout = .seconds(60) }
        try rig.connect()
        let start = rig.now
        let old = rig.push("old")
        rig.pass(.seconds(3))
        rig.reply(error("LOADING wait"))
        let young = rig.push("young")
        rig.pass(.seconds(1))
        #expect(try rig.jobs() == ["old", "young", "old"], "the older push is behind the younger one")
        #expect(rig.machine.wakeAt == start + .seconds(8))
        rig.pass(.seconds(4))
        #expect(rig.results.map(\.waiter) == [old] && rig.result(of: old) == .failed(.ambiguous))
        #expect(rig.machine.wakeAt == start + .seconds(11))
        rig.pass(.seconds(3))
        #expect(rig.results.map(\.waiter) == [old, young] && rig.closed.isEmpty)
        // The late replies are their own, and no later push takes one for its own.
        let next = rig.push("next")
        rig.reply(.integer(1), .integer(2), .integer(3))
        #expect(rig.result(of: next) == .queued(depth: 3) && rig.results.count == 3)
    }

    @Test func `a reply that does not come closes the connection`() throws {
        let rig = Rig { $0.replyTimeout = .seconds(5) }
        try rig.connect()
        let plain = rig.push()
        rig.pass(.seconds(2))
        let named = rig.push(named: "d")
        rig.pass(.milliseconds(2_999))
        #expect(rig.closed.isEmpty)
        rig.pass(.milliseconds(1))
        #expect(rig.closed == [0] && rig.result(of: plain) == .failed(.ambiguous))
        #expect(rig.events.contains(.lost(.replyTimedOut, ambiguous: 1, retried: 1)))
        try rig.connect()
        rig.reply(.integer(1))
        #expect(rig.result(of: named) == .queued(depth: 1))
    }
}
