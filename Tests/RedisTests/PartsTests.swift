import COpenSSL
import System
import TestSupport
import Testing

@testable import Redis

struct BreakerTests {
    private let now = Instant(nanoseconds: 1_000)
    private let later = Instant(nanoseconds: 2_000)

    @Test func closedItLetsEverythingThrough() {
        var breaker = Breaker()
        #expect(breaker.isClosed && breaker.wouldAdmit(at: now))
        for _ in 1...3 {
            let isAdmitted = breaker.admits(at: now)
            #expect(isAdmitted)
        }
        breaker.connected()
        #expect(breaker.isClosed)
    }

    @Test func unreachableItWaitsForAConnection() {
        var breaker = Breaker()
        breaker.becameUnreachable()
        let isAdmitted = breaker.admits(at: .never)
        #expect(!isAdmitted && !breaker.isClosed && !breaker.wouldAdmit(at: .never))
        breaker.connected()
        #expect(breaker.isClosed)
    }

    @Test func refusingItLetsOneThroughWhenItIsTime() {
        var breaker = Breaker()
        breaker.wasRefused(probe: later)
        #expect(!breaker.wouldAdmit(at: now) && breaker.wouldAdmit(at: later))
        #expect(breaker.state == .refusing(probe: later), "asking changes nothing")
        let isEarly = breaker.admits(at: now)
        let isAdmitted = breaker.admits(at: later)
        let isSecond = breaker.admits(at: .never)
        #expect(!isEarly && isAdmitted && !isSecond)
        #expect(breaker.state == .probing && !breaker.isClosed)
        breaker.connected()
        #expect(breaker.state == .probing, "a connection is no answer to the probe")
        breaker.wasRefused(probe: .never)
        let isRefused = breaker.admits(at: later)
        #expect(!isRefused)
        breaker.succeeded()
        #expect(breaker.isClosed)
    }
}

struct BackoffTests {
    @Test func jitterIsHalfOfTheDelay() {
        let delay = Nanoseconds.milliseconds(100)
        let delays = (0..<5000).map { _ in Backoff().jittered(delay).count }
        #expect(delays.allSatisfy { (50_000_000...100_000_000).contains($0) })
        #expect(delays.min()! < 55_000_000 && delays.max()! > 95_000_000, "all of it is used")
        #expect(Backoff().jittered(Nanoseconds(0)).count == 0)
    }

    @Test(arguments: [(0, 100), (1, 200), (2, 400), (3, 800), (4, 800), (40, 800), (.max, 800), (-1, 100)])
    func fullJitterDoublesUpToTheCap(attempt: Int, milliseconds: UInt64) {
        let ceiling = milliseconds * 1_000_000
        let delays = (0..<5000).map { _ in
            Backoff().full(attempt: attempt, base: .milliseconds(100), cap: .milliseconds(800)).count
        }
        #expect(delays.allSatisfy { (2_000_000...ceiling).contains($0) })
        #expect(delays.max()! > ceiling / 10 * 9 && delays.min()! < ceiling / 10)
    }

    @Test func aCapBelowTheLeastDelayIsNoTrap() {
        #expect(Backoff().full(attempt: 3, base: .milliseconds(100), cap: Nanoseconds(1)).count == 2_000_000)
    }
}

struct FifoTests {
    @Test func itKeepsTheOrderWhateverIsPutInAndTakenOut() {
        var random = SplitMix64(seed: 11)
        var fifo = Fifo<Int>()
        var model: [Int] = []
        for number in 0..<20_000 {
            if random.below(100) < (number / 4000 % 2 == 0 ? 70 : 30) {
                fifo.append(number)
                model.append(number)
            } else {
                let taken = fifo.popFirst()
                #expect(taken == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(fifo.count == model.count && fifo.isEmpty == model.isEmpty && fifo.first == model.first)
            guard !model.isEmpty else { continue }
            let index = random.below(model.count)
            fifo[index] += 1_000_000
            model[index] += 1_000_000
            #expect(fifo[index] == model[index])
        }
        #expect(fifo.removeAll() == model && fifo.isEmpty)
        fifo.append(1)
        #expect(fifo.popFirst() == 1 && fifo.popFirst() == nil && fifo.removeAll() == [])
    }
}

struct QueueDepthTests {
    private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    @Test func theRateIsMeasuredBetweenTwoLooks() {
        var depth = QueueDepth()
        #expect(depth.last == 0 && depth.secondsUntil(10) == 30)
        depth.pushed(1000)
        #expect(depth.last == 1000 && depth.secondsUntil(10) == 30)
        depth.measure(1000, at: at(1))
        #expect(depth.drainRate == 0)
        depth.measure(900, at: at(3))
        #expect(depth.drainRate == 50 && depth.secondsUntil(100) == 17, "801 jobs at 50 a second")
        depth.measure(800, at: at(4))
        #expect(abs(depth.drainRate - 65) < 0.001, "0.7 of what was known, 0.3 of what is new")
    }

    @Test func aPushBetweenTwoLooksSpoilsTheRate() {
        var depth = QueueDepth()
        depth.measure(1000, at: at(1))
        depth.pushed(500)
        depth.measure(400, at: at(2))
        #expect(depth.drainRate == 0)
        depth.measure(390, at: at(3))
        #expect(depth.drainRate == 10)
    }

    @Test func theWaitIsAtLeastASecondAndAtMostFiveMinutes() {
        var depth = QueueDepth()
        depth.measure(1_000_000, at: at(1))
        depth.measure(999_999, at: at(2))
        #expect(depth.secondsUntil(10) == 300)
        depth.measure(0, at: at(3))
        #expect(depth.secondsUntil(10) == 1)
        // A queue that grows, and looks at the same time.
        depth.measure(9_000_000, at: at(4))
        depth.measure(10, at: at(4))
        #expect(depth.drainRate == 0 && depth.secondsUntil(10) == 30)
    }

    @Test func whatCannotBeAskedForIsSupposedToHaveRoom() {
        var depth = QueueDepth()
        depth.pushed(10)
        depth.supposeBelow(10)
        #expect(depth.last == 9)
    }
}

struct PushCommandTests {
    private func bytes(_ body: (PushCommand, inout [UInt8]) -> Void, waits: Bool = false) -> [UInt8] {
        var output: [UInt8] = [0x21]
        body(PushCommand(queue: "q", window: 60, waits: waits), &output)
        return Array(output.dropFirst())
    }

    @Test func theDigestIsThatOfTheScript() {
        let script = utf8(PushCommand.script)
        var digest = [UInt8](repeating: 0, count: 20)
        _ = unsafe SHA1(script, script.count, &digest)
        let hex = digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(hex == PushCommand.scriptDigest)
    }

    @Test func aPlainPush() {
        let job = utf8("{\"a\":\"é\r\n\"}")
        #expect(bytes { $0.append(job.span, to: &$1) } == resp("LPUSH", "q", "{\"a\":\"é\r\n\"}"))
        #expect(bytes { $0.append([UInt8]().span, to: &$1) } == resp("LPUSH", "q", ""))
    }

    @Test(arguments: [false, true])
    func aMarkedPushByDigestAndByScript(waits: Bool) {
        let job = utf8("job")
        let mark = Mark(key: utf8("{q}:seen:a:b"), value: utf8("v"))
        let tail = ["2", "q", "{q}:seen:a:b", "job", "v", "60", waits ? "1" : "0"]
        let digest = bytes({ $0.append(job.span, marked: mark, to: &$1) }, waits: waits)
        #expect(digest == resp(["EVALSHA", PushCommand.scriptDigest] + tail))
        let script = bytes({ command, output in output += command.withScript(digest.span) }, waits: waits)
        #expect(script == resp(["EVAL", PushCommand.script] + tail))
    }

    /// The order that an interruption must not turn round.
    @Test func theScriptPushesBeforeItMarks() throws {
        let push = try #require(PushCommand.script.firstRange(of: "'LPUSH'"))
        let mark = try #require(PushCommand.script.firstRange(of: "call('SET', KEYS[2], ARGV[2]"))
        #expect(push.upperBound < mark.lowerBound)
    }
}
