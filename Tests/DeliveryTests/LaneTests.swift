import Bytes
import System
import TestSupport
import Testing

@testable import Delivery

/// What is on its way on one connection.
struct LaneTests {
    private let now = Instant(nanoseconds: 1_000_000_000_000)

    private func lane() -> Lane {
        Lane(endpoint: .tcp(host: "a", port: 1), isForAsked: false, isChecking: false, now: now)
    }

    private func push(_ sequence: UInt64 = 0, seconds: Double = 8, _ encoding: Push.Encoding = .plain) -> Push {
        Push(
            sequence: sequence, waiter: sequence, deadline: now + .seconds(seconds), isProbe: false, encoding: encoding)
    }

    /// A lane with commands of these bytes.
    private func lane(_ commands: String...) -> Lane {
        var lane = lane()
        for (index, text) in commands.enumerated() { append(text, push(UInt64(index)), to: &lane) }
        return lane
    }

    private func append(_ text: String, _ push: Push, to lane: inout Lane) {
        lane.append(.push(push), at: now) { output in output.append(contentsOf: Array(text.utf8)) }
    }

    private func unsent(_ lane: Lane) -> String {
        lane.withUnsent { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
    }

    // MARK: Offsets

    @Test func `each command begins where the one before it ends, also once the buffer was emptied`() {
        var lane = lane("abc", "de")
        #expect(lane.inFlight.map(\.start) == [0, 3] && lane.inFlight.map(\.end) == [3, 5])
        #expect(lane.byteCount == 5 && lane.unsentCount == 5 && unsent(lane) == "abcde")
        lane.sent(5, delivered: 5)
        #expect(lane.firstBytes() == utf8("abc"))
        _ = lane.popFirst()
        #expect(lane.firstBytes() == utf8("de") && lane.byteCount == 2)
        _ = lane.popFirst()
        lane.trim()
        #expect(lane.output.isEmpty && lane.byteCount == 0 && !lane.hasUnsent && lane.isIdle)
        append("fgh", push(), to: &lane)
        #expect(lane.inFlight.map(\.start) == [5] && lane.inFlight.map(\.end) == [8])
        #expect(lane.firstBytes() == utf8("fgh") && unsent(lane) == "fgh")
    }

    @Test(arguments: [
        (UInt64(0), false, false), (2, false, false), (3, true, false), (4, true, false), (5, true, true),
    ])
    func `a command is written once the kernel has its last byte`(written: UInt64, first: Bool, second: Bool) {
        var lane = lane("abc", "de")
        lane.sent(5, delivered: written)
        #expect(lane.awaitsReply == first)
        let all = lane.removeAll()
        #expect(all.map(\.isWritten) == [first, second])
        #expect(all.map(\.bytes.text) == ["abc", "de"], "with its bytes, oldest first")
        #expect(lane.isIdle && lane.byteCount == 0)
    }

    @Test func `a lane is blocked while the transport has not taken all`() {
        var lane = lane("abcdef")
        #expect(!lane.isBlocked && lane.takesPushes)
        lane.sent(4, delivered: 4)
        #expect(lane.isBlocked && lane.takesPushes && unsent(lane) == "ef" && lane.unsentCount == 2)
        // What the transport took and the kernel did not is not for the lane to send again.
        lane.sent(2, delivered: 5)
        #expect(!lane.isBlocked && !lane.hasUnsent && !lane.awaitsReply)
        lane.sent(0, delivered: 6)
        #expect(lane.awaitsReply && unsent(lane).isEmpty)
    }

    // MARK: Trimming

    @Test func `the bytes of answered commands are forgotten once they are most of a large buffer`() {
        let big = String(repeating: "z", count: 40_000)
        var lane = lane(big, big, "tail", "unsent")
        lane.sent(80_004, delivered: 80_004)
        _ = lane.popFirst()
        lane.trim()
        #expect(lane.output.count == 80_010, "40,000 bytes are not worth it")
        _ = lane.popFirst()
        lane.trim()
        #expect(lane.output.count == 10)
        #expect(lane.firstBytes() == utf8("tail") && unsent(lane) == "unsent" && lane.awaitsReply)
        append("more", push(), to: &lane)
        #expect(lane.inFlight.last?.start == 80_010 && unsent(lane) == "unsentmore")
    }

    @Test func `a large buffer of which most is unanswered is kept`() {
        let big = String(repeating: "z", count: 70_000)
        var lane = lane(big, big, "x")
        lane.sent(140_001, delivered: 140_001)
        _ = lane.popFirst()
        lane.trim()
        #expect(lane.output.count == 140_001 && lane.firstBytes() == utf8(big))
    }

    @Test func `a command that was answered before all of it was sent is sent to its end`() {
        var lane = lane("abc")
        lane.sent(1, delivered: 1)
        _ = lane.popFirst()
        lane.trim()
        #expect(unsent(lane) == "bc")
    }

    // MARK: WAIT

    @Test func `WAITs without a reply are counted, and pushes after the last need another`() {
        var lane = lane("a")
        #expect(lane.needsWait && lane.waits == 0)
        for count in 1...2 {
            lane.append(.wait, at: now) { $0.append(UInt8(ascii: "w")) }
            #expect(!lane.needsWait && lane.waits == count && !lane.takesPushes)
            append("b", push(), to: &lane)
            #expect(lane.needsWait && lane.waits == count)
        }
        for waits in [2, 1, 1, 0, 0] {
            _ = lane.popFirst()
            #expect(lane.waits == waits)
        }
        #expect(lane.takesPushes)
        lane.append(.wait, at: now) { $0.append(UInt8(ascii: "w")) }
        _ = lane.removeAll()
        #expect(lane.waits == 0)
    }

    @Test func `other commands than pushes need no WAIT`() {
        var lane = lane()
        for command in [InFlight.Command.asking, .waitCheck, .length, .abandoned(.plain)] {
            lane.append(command, at: now) { $0.append(UInt8(ascii: "x")) }
        }
        #expect(!lane.needsWait && lane.waits == 0 && lane.takesPushes && lane.earliestDeadline == .never)
    }

    @Test func `a push that waits for replicas keeps the lane from being idle`() {
        var lane = lane()
        #expect(lane.isIdle)
        lane.hold(push(1), .queued(depth: 1))
        lane.hold(push(2), .queued(depth: 2))
        #expect(!lane.isIdle)
        let first = lane.popUnconfirmed()
        #expect(first?.push?.sequence == 1 && first?.result == .queued(depth: 1))
        _ = lane.popUnconfirmed()
        #expect(lane.isIdle && lane.popUnconfirmed() == nil)
    }

    // MARK: Deadlines

    @Test func `whatever the order of deadlines, each push expires at its own`() {
        var lane = lane()
        for (index, seconds) in [3.0, 1, 2].enumerated() {
            append("x", push(UInt64(index), seconds: seconds), to: &lane)
        }
        #expect(lane.earliestDeadline == now + .seconds(1))
        var expired: [UInt64] = []
        for (seconds, known, next) in [
            (0.999, [], 1.0), (1, [1], 2), (1.5, [1], 2), (2, [1, 2], 3), (9, [1, 2, 0], nil),
        ] as [(Double, [UInt64], Double?)] {
            lane.expire(at: now + .seconds(seconds)) { expired.append($0.sequence) }
            #expect(expired == known)
            #expect(lane.earliestDeadline == (next.map { now + .seconds($0) } ?? .never))
        }
        #expect(lane.inFlight.count == 3, "the replies are still expected")
    }

    @Test func `an expired push leaves its kind behind, and its bytes`() {
        var lane = lane()
        append("a", push(0, seconds: 1, .script), to: &lane)
        lane.hold(push(1, seconds: 1), .queued(depth: 1))
        var expired: [UInt64] = []
        lane.expire(at: now + .seconds(1)) { expired.append($0.sequence) }
        #expect(expired == [0, 1])
        #expect(lane.firstBytes() == utf8("a") && lane.byteCount == 1)
        guard case .abandoned(.script) = lane.popFirst() else {
            Issue.record("it is not abandoned")
            return
        }
        let held = lane.popUnconfirmed()
        #expect(held?.push == nil && held?.result == .queued(depth: 1))
    }

    @Test func `the deadlines of answered pushes are forgotten once the lane is idle`() {
        var lane = lane()
        append("a", push(0, seconds: 1), to: &lane)
        append("b", push(1, seconds: 2), to: &lane)
        _ = lane.popFirst()
        append("c", push(2, seconds: 3), to: &lane)
        #expect(lane.earliestDeadline == now + .seconds(1), "too early does no harm")
        _ = lane.popFirst()
        _ = lane.popFirst()
        lane.append(.length, at: now) { $0.append(UInt8(ascii: "l")) }
        #expect(lane.earliestDeadline == .never)
    }

    // MARK: Leaving

    @Test func `a lane that is left counts what it gives back`() {
        var lane = lane()
        lane.countReturned()
        #expect(lane.isReady && lane.servesQueue && lane.retryAt == Instant(nanoseconds: 0))
        lane.leave(.replyTimedOut, retryAt: now)
        lane.countReturned()
        lane.countReturned()
        #expect(lane.state == .leaving(.replyTimedOut, retryAt: now, returned: 2))
        #expect(lane.isLeaving && !lane.isReady && !lane.servesQueue && lane.retryAt == now)
    }
}
