import System
import TestSupport
import Testing

@testable import Delivery

/// The two functions that decide what becomes of a push after a loss or an error reply.
struct FateTests {
    private static let now = Instant(nanoseconds: 1_000_000_000_000)
    /// The policy's attempts, and its delay between two of them.
    private static let attempts = 3
    private static let retryDelay = Nanoseconds.seconds(1)

    private var policy: DeliveryPolicy {
        var policy = DeliveryPolicy(queue: "q")
        policy.attempts = FateTests.attempts
        policy.retryDelay = FateTests.retryDelay
        return policy
    }

    enum Kind { case plain, named, script }

    private func push(_ kind: Kind, deadline: Instant = now + .seconds(5)) -> Push {
        let encodings: [Kind: Push.Encoding] = [.plain: .plain, .named: .digest, .script: .script]
        return Push(sequence: 1, waiter: 7, deadline: deadline, isProbe: false, encoding: encodings[kind]!)
    }

    // MARK: After a loss

    /// What the kernel had of a push.
    enum Bytes { case unwritten, written, writtenEarlier }

    /// nil: it is sent again.
    @Test(arguments: [
        (Kind.plain, Bytes.unwritten, true, true, PushFailure?.none), (.plain, .unwritten, true, false, .timedOut),
        (.plain, .unwritten, false, true, .notConnected), (.plain, .unwritten, false, false, .timedOut),
        (.plain, .written, true, true, .ambiguous), (.plain, .written, true, false, .ambiguous),
        (.plain, .written, false, true, .ambiguous), (.plain, .written, false, false, .ambiguous),
        (.named, .unwritten, true, true, nil), (.named, .unwritten, true, false, .timedOut),
        (.named, .unwritten, false, true, .notConnected), (.named, .unwritten, false, false, .timedOut),
        (.named, .written, true, true, nil), (.named, .written, true, false, .ambiguous),
        (.named, .written, false, true, .ambiguous), (.named, .written, false, false, .ambiguous),
        (.named, .writtenEarlier, true, true, nil), (.named, .writtenEarlier, true, false, .ambiguous),
        (.named, .writtenEarlier, false, true, .ambiguous), (.named, .writtenEarlier, false, false, .ambiguous),
        (.script, .written, true, true, nil), (.script, .written, false, true, .ambiguous),
    ])
    func `a loss repeats only what did not happen or does no harm twice`(
        kind: Kind, bytes: Bytes, hasAttempts: Bool, isInTime: Bool, failure: PushFailure?
    ) {
        var push = push(kind, deadline: isInTime ? FateTests.now + Nanoseconds(1) : FateTests.now)
        push.attempts = hasAttempts ? 0 : FateTests.attempts - 1
        push.mayHaveHappened = bytes == .writtenEarlier
        var backoff = Backoff(seed: 1)
        let fate = policy.fateAfterLoss(
            of: &push, isWritten: bytes == .written, at: FateTests.now, earliest: FateTests.now, &backoff)
        #expect(fate == (failure.map { .failed($0) } ?? .again(at: FateTests.now)))
        #expect(push.attempts == (hasAttempts ? 1 : FateTests.attempts))
        #expect(push.mayHaveHappened == (bytes != .unwritten))
    }

    @Test func `the first loss is retried at once, the next after half to all of the delay`() {
        let now = FateTests.now
        var backoff = Backoff(seed: 2)
        var times: [Instant] = []
        for known in 0..<FateTests.attempts - 1 {
            for _ in 0..<200 {
                var push = push(.named)
                push.attempts = known
                guard
                    case .again(let time) = policy.fateAfterLoss(
                        of: &push, isWritten: true, at: now, earliest: now, &backoff)
                else {
                    Issue.record("it is not sent again")
                    return
                }
                times.append(time)
            }
        }
        #expect(times[..<200].allSatisfy { $0 == now })
        #expect(times[200...].allSatisfy { (500_000_000...1_000_000_000).contains($0.since(now)) })
    }

    @Test func `a loss is not retried before the connection's own delay, and forgets redirections`() {
        let earliest = FateTests.now + .seconds(3)
        var push = push(.plain)
        push.wasRedirected = true
        push.asked = .tcp(host: "a", port: 1)
        var backoff = Backoff(seed: 3)
        let fate = policy.fateAfterLoss(
            of: &push, isWritten: false, at: FateTests.now, earliest: earliest, &backoff)
        #expect(fate == .again(at: earliest))
        #expect(!push.wasRedirected && push.asked == nil)
    }

    // MARK: After an error reply

    enum Outcome { case repeated, reconnected, withScript, redirected, refused }

    /// Each error, and what follows for a plain push, a named one, and either as the breaker's probe.
    @Test(arguments: [
        (ErrorReply.busy, Outcome.repeated, Outcome.repeated, Outcome.repeated, Outcome.repeated),
        (.tooFewReplicas, .repeated, .repeated, .repeated, .repeated),
        (.waitInterrupted, .repeated, .repeated, .repeated, .repeated),
        (.notPrimary, .reconnected, .reconnected, .refused, .refused),
        (.notAuthenticated, .reconnected, .reconnected, .refused, .refused),
        (.tooManyClients, .reconnected, .reconnected, .refused, .refused),
        (.unknownScript, .refused, .withScript, .refused, .withScript),
        (.elsewhere, .redirected, .redirected, .redirected, .redirected),
        (.writesRefused, .refused, .refused, .refused, .refused),
        (.protectedMode, .refused, .refused, .refused, .refused),
        (.askingRefused, .refused, .refused, .refused, .refused),
        (.misconfigured, .refused, .refused, .refused, .refused),
        (.protocolError, .refused, .refused, .refused, .refused),
    ])
    func `each error has its consequence`(
        error: ErrorReply, plain: Outcome, named: Outcome, plainProbe: Outcome, namedProbe: Outcome
    ) {
        for (kind, isProbing, expected) in [
            (Kind.plain, false, plain), (.named, false, named), (.plain, true, plainProbe), (.named, true, namedProbe),
        ] {
            var push = push(kind)
            #expect(outcome(of: error, &push, isProbing: isProbing) == expected, "\(kind), probing: \(isProbing)")
            #expect(push.repeats == (expected == .repeated ? 1 : 0))
            #expect(push.wasRedirected == (expected == .redirected))
        }
    }

    @Test func `the table has every error`() {
        // A new case needs a row above.
        #expect(ErrorReply.allCases.count == 13)
    }

    @Test(arguments: ErrorReply.allCases)
    func `an error says nothing about an earlier attempt that may have happened`(error: ErrorReply) {
        var push = push(.script, deadline: FateTests.now)
        push.mayHaveHappened = true
        push.wasRedirected = true
        push.attempts = FateTests.attempts
        var backoff = Backoff(seed: 4)
        let fate = policy.fateAfterError(
            error, word: "X", of: &push, isProbing: false, at: FateTests.now, reconnectAt: FateTests.now, &backoff)
        #expect(fate == .failed(.ambiguous))
    }

    @Test func `"not now" is repeated until the deadline, too few replicas once`() {
        var patient = push(.plain)
        patient.repeats = 1_000_000
        #expect(outcome(of: .busy, &patient) == .repeated)
        var late = push(.plain, deadline: FateTests.now + Nanoseconds(1))
        #expect(outcome(of: .busy, &late) == .refused)
        var second = push(.plain)
        second.repeats = 1
        #expect(outcome(of: .tooFewReplicas, &second) == .refused)
    }

    @Test func `another connection is tried as often as connections may fail, until the deadline`() {
        for (attempts, isInTime) in [(0, true), (1, true), (2, true), (0, false)] {
            var push = push(.plain, deadline: isInTime ? FateTests.now + Nanoseconds(1) : FateTests.now)
            push.attempts = attempts
            push.asked = .tcp(host: "a", port: 1)
            let isTried = attempts < 2 && isInTime
            #expect(outcome(of: .notPrimary, &push) == (isTried ? .reconnected : .refused))
            #expect(push.attempts == attempts + 1)
            #expect((push.asked == nil) == isTried)
        }
    }

    @Test func `a push is redirected once, and gets the script once`() {
        var push = push(.named)
        #expect(outcome(of: .elsewhere, &push) == .redirected)
        #expect(outcome(of: .elsewhere, &push) == .refused)
        push.encoding = .script
        #expect(outcome(of: .unknownScript, &push) == .refused)
    }

    @Test func `repeats wait longer with every one`() {
        var backoff = Backoff(seed: 5)
        /// The longest of many delays.
        func longest(after repeats: Int) -> UInt64 {
            (0..<500).reduce(0) { longest, _ in
                var push = push(.plain)
                push.repeats = repeats
                guard
                    case .again(let time) = policy.fateAfterError(
                        .busy, word: "X", of: &push, isProbing: false, at: FateTests.now, reconnectAt: .never, &backoff)
                else { return longest }
                return max(longest, time.since(FateTests.now))
            }
        }
        #expect((40_000_000...50_000_000).contains(longest(after: 0)))
        #expect((80_000_000...100_000_000).contains(longest(after: 1)))
        #expect((700_000_000...800_000_000).contains(longest(after: 9)))
    }

    /// What an error comes to, with the time and the failure checked.
    private func outcome(of error: ErrorReply, _ push: inout Push, isProbing: Bool = false) -> Outcome? {
        let reconnectAt = FateTests.now + .seconds(2)
        var backoff = Backoff(seed: 6)
        let fate = policy.fateAfterError(
            error, word: "WORD", of: &push, isProbing: isProbing, at: FateTests.now, reconnectAt: reconnectAt, &backoff)
        switch fate {
        case .again(reconnectAt): return .reconnected
        case .again(let time):
            return time > FateTests.now && time.since(FateTests.now) <= DeliveryPolicy.busyLimit.count ? .repeated : nil
        case .withScript: return .withScript
        case .redirected: return .redirected
        case .failed(.refused(error, word: "WORD")): return .refused
        case .failed: return nil
        }
    }
}
