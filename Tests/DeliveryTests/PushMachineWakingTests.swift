import RESP
import System
import TestSupport
import Testing

@testable import Delivery

/// When the machine wants to be woken: never at a time that has passed, and not more often than something is due.
struct PushMachineWakingTests {
    enum State: CaseIterable {
        case dialling, unreachable, idle, pushOnItsWay, blocked, secondWanted, leaving, repeated, retried
        case refusing, probing, checkingWait, withoutWait, waitingForReplicas, full, fullAndBusy, lengthRefused, asked
    }

    /// A machine in that state, where nothing more happens but what the clock brings.
    private func rig(_ state: State) throws -> Rig {
        let rig = Rig {
            switch state {
            case .checkingWait, .withoutWait, .waitingForReplicas:
                $0.waitReplicas = 1
                $0.waitMilliseconds = 100
            case .full, .fullAndBusy, .lengthRefused: $0.maxDepth = 10
            case .leaving, .asked: $0.maxConnections = 1
            default: break
            }
        }
        guard state != .dialling else {
            rig.push()
            return rig
        }
        if state == .unreachable {
            for _ in 1...3 {
                rig.fail()
                rig.pass(.seconds(1))
            }
            #expect(rig.machine.breakerState == .unreachable)
            return rig
        }
        try rig.connect()
        if state == .withoutWait || state == .waitingForReplicas { rig.reply(.integer(0)) }
        switch state {
        case .dialling, .unreachable, .idle, .checkingWait: break
        case .pushOnItsWay: rig.push(named: "d")
        case .blocked, .secondWanted:
            rig.room[0] = 10
            rig.push()
            if state == .secondWanted { rig.push() }
        case .leaving:
            rig.push()
            rig.push()
            rig.reply(error("READONLY no"))
        case .repeated:
            rig.push()
            rig.reply(error("LOADING wait"))
        case .retried:
            rig.push(named: "d")
            rig.lose(0)
        case .refusing, .probing:
            rig.push()
            rig.reply(error("OOM no"))
            guard state == .probing else { break }
            rig.pass(.milliseconds(800))
            rig.push()
        case .withoutWait:
            rig.push()
            rig.reply(.integer(1), error("NOPERM no"))
        case .waitingForReplicas:
            rig.push()
            rig.reply(.integer(1))
        case .full, .fullAndBusy, .lengthRefused:
            rig.push()
            if state == .fullAndBusy { rig.push() }
            rig.reply(.integer(10))
            guard state == .lengthRefused else { break }
            rig.pass(.milliseconds(250))
            rig.reply(error("NOPERM no"))
        case .asked:
            rig.push()
            rig.reply(error("ASK 1 other:6379"))
        }
        return rig
    }

    /// `pass` records an issue where a tick leaves something that is due at once.
    @Test(arguments: State.allCases)
    func `left alone in any state, it is woken now and then`(state: State) throws {
        let rig = try rig(state)
        #expect(rig.machine.wakeAt >= rig.now)
        // Without any reply each connection is lost after 5 s, and each dial is given up.
        let count = rig.pass(.seconds(30))
        // At most LLEN every 250 ms, and the dials and timeouts between.
        #expect(count <= 150, "\(count) times in 30 s")
        #expect(rig.machine.pendingCount == 0, "each push has its result by then")
    }

    /// The same where each dial succeeds, and nothing is answered.
    @Test(arguments: State.allCases)
    func `with connections that stay silent it is woken now and then, and dials now and then`(state: State) throws {
        let rig = try rig(state)
        let known = rig.dialTimes.count
        var count = 0
        for _ in 1...3_000 {
            if rig.dial != nil { try rig.connect() }
            count += rig.pass(.milliseconds(10))
        }
        #expect(count <= 150, "\(count) times in 30 s")
        #expect(rig.dialTimes.count - known <= 20, "\(rig.dialTimes.count - known) dials in 30 s")
        #expect(rig.machine.pendingCount == 0)
    }

    @Test func `the first of several deadlines is when it wakes`() throws {
        let rig = Rig { $0.maxDepth = 10 }
        #expect(rig.machine.wakeAt == rig.now + .seconds(5), "the dial's")
        try rig.connect()
        #expect(rig.machine.wakeAt == .never)
        rig.push()
        #expect(rig.machine.wakeAt == rig.now + .seconds(5), "the reply's")
        rig.reply(.integer(10))
        #expect(rig.machine.wakeAt == rig.now + .milliseconds(250), "the next look at the queue's length")
    }

    // MARK: One connection for two purposes

    /// The queue's slot is on its way, and the node that gets it answers TRYAGAIN for a while.
    @Test func `with one connection an ASK does not make the queue's and the other take turns without pause`() throws {
        let rig = Rig { $0.maxConnections = 1 }
        try rig.connect()
        let waiter = rig.push()
        rig.reply(error("ASK 1 other:6379"))
        #expect(rig.dial?.endpoint == .tcp(host: "other", port: 6379))
        let known = rig.dialTimes.count
        var tries = 0
        // A connection is made within a millisecond.
        for _ in 1...7_000 where rig.result(of: waiter) == nil {
            if rig.dial != nil { try rig.connect() }
            let commands = try rig.commands()
            if commands.contains(["ASKING"]) {
                tries += 1
                rig.reply(.simple(utf8("OK")), tries == 6 ? .integer(1) : error("TRYAGAIN moving"))
            }
            rig.pass(.milliseconds(1))
        }
        #expect(rig.result(of: waiter) == .queued(depth: 1))
        #expect(rig.dialTimes.count - known <= 50, "\(rig.dialTimes.count - known) dials")
    }
}
