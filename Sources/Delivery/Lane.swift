import Bytes
import DequeModule
import System

/// A command that was written to a connection and waits for its reply.
struct InFlight {
    enum Command {
        case push(Push)
        /// A push whose sender has been answered meanwhile. Its reply is only read.
        case abandoned(Push.Encoding)
        /// ASKING for the push after it.
        case asking
        /// WAIT for the pushes before it.
        case wait
        /// WAIT for nothing, which shows whether the user has the right to it.
        case waitCheck
        case length
    }

    var command: Command
    /// Where the command begins, in bytes since the connection was made, and how long it is.
    let start: UInt64
    let length: Int
    /// When it was appended, which is the turn in which it is sent.
    let sentAt: Instant

    var end: UInt64 { start + UInt64(length) }
}

/// A push that Redis has executed, and its result once replicas have acknowledged it. Without a push its sender has been
/// answered meanwhile.
struct Unconfirmed {
    var push: Push?
    let result: PushResult
}

/// What is on its way on one connection: the commands without a reply, their bytes, and how many the kernel has.
struct Lane {
    enum State: Equatable {
        /// Finds out whether WAIT is allowed, and takes no pushes yet.
        case checking
        case ready
        /// Redis asked for another connection. What it has whole it still answers here, and nothing more is written.
        case leaving(ConnectionFailure, retryAt: Instant, returned: Int)
    }

    /// A buffer that has grown beyond this is given back once it is empty, bytes.
    private static let keptOutput = 1_048_576
    /// Answered commands are removed from the buffer from this size on, bytes.
    private static let trimmedOutput = 65_536

    let endpoint: Endpoint
    /// Only pushes that an ASK sends to this node go here.
    private(set) var isForAsked: Bool
    private(set) var state: State
    private(set) var inFlight = Deque<InFlight>()
    /// Pushes whose WAIT has not been answered.
    private(set) var unconfirmed = Deque<Unconfirmed>()
    /// Bytes of the commands without a reply.
    private(set) var byteCount = 0
    /// Pushes since the last WAIT.
    private(set) var needsWait = false
    /// WAITs without a reply.
    private(set) var waits = 0
    /// The kernel takes no more at the moment.
    private(set) var isBlocked = false
    private(set) var lastUsed: Instant
    /// The earliest deadline of a push here, or earlier.
    private(set) var earliestDeadline = Instant.never

    /// Every command since the oldest without a reply, so that it can be sent again.
    private(set) var output: [UInt8] = []
    /// How many bytes were before `output`.
    private var base: UInt64 = 0
    /// How many bytes of `output` the transport has taken.
    private var taken = 0
    /// How many bytes since the beginning the kernel has.
    private(set) var written: UInt64 = 0

    init(endpoint: Endpoint, isForAsked: Bool, isChecking: Bool, now: Instant) {
        self.endpoint = endpoint
        self.isForAsked = isForAsked
        state = isChecking ? .checking : .ready
        lastUsed = now
    }

    var isReady: Bool { state == .ready }
    /// Redis executes nothing of a connection whose WAIT it has not answered: more pushes would only queue up behind it.
    var takesPushes: Bool { isReady && waits == 0 }
    /// Takes any push.
    var servesQueue: Bool { isReady && !isForAsked }

    var isLeaving: Bool { if case .leaving = state { true } else { false } }

    /// When what was given back may be tried elsewhere.
    var retryAt: Instant {
        if case .leaving(_, let retryAt, _) = state { retryAt } else { Instant(nanoseconds: 0) }
    }

    /// Whether a command that Redis has whole waits for its reply.
    var awaitsReply: Bool { inFlight.first.map { $0.end <= written } ?? false }
    var isIdle: Bool { inFlight.isEmpty && unconfirmed.isEmpty }
    var hasUnsent: Bool { taken < output.count }
    var unsentCount: Int { output.count - taken }

    // MARK: States

    mutating func becomeReady() { state = .ready }

    mutating func serveQueue() { isForAsked = false }

    mutating func leave(_ cause: ConnectionFailure, retryAt: Instant) {
        state = .leaving(cause, retryAt: retryAt, returned: 0)
    }

    /// Counts a push that was given back to be tried elsewhere.
    mutating func countReturned() {
        if case .leaving(let cause, let retryAt, let returned) = state {
            state = .leaving(cause, retryAt: retryAt, returned: returned + 1)
        }
    }

    // MARK: Output

    mutating func append(_ command: InFlight.Command, at now: Instant, _ write: (inout [UInt8]) -> Void) {
        // Of pushes that have all been answered no deadline is left.
        if isIdle { earliestDeadline = .never }
        let before = output.count
        write(&output)
        let length = output.count - before
        inFlight.append(
            InFlight(command: command, start: base + UInt64(before), length: length, sentAt: now))
        byteCount += length
        lastUsed = now
        switch command {
        case .push(let push):
            needsWait = true
            earliestDeadline = min(earliestDeadline, push.deadline)
        case .wait:
            needsWait = false
            waits += 1
        case .abandoned, .asking, .waitCheck, .length: break
        }
    }

    /// The bytes that are to be sent next.
    func withUnsent<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        let output = output
        return body(output.span.extracting(droppingFirst: taken))
    }

    /// The transport has taken so many bytes more, and the kernel has `delivered` since the beginning.
    mutating func sent(_ count: Int, delivered: UInt64) {
        taken += count
        written = delivered
        isBlocked = hasUnsent
    }

    private func bytes(of command: InFlight) -> [UInt8] {
        let start = Int(command.start - base)
        return Array(output[start..<start + command.length])
    }

    // MARK: Replies

    /// Removes the oldest command, whose reply has come.
    mutating func popFirst() -> InFlight.Command? {
        guard let first = inFlight.popFirst() else { return nil }
        byteCount -= first.length
        if case .wait = first.command { waits -= 1 }
        return first.command
    }

    /// The bytes of the oldest command.
    func firstBytes() -> [UInt8] { inFlight.first.map { bytes(of: $0) } ?? [] }

    /// Forgets the bytes of commands that were answered.
    mutating func trim() {
        guard let first = inFlight.first else {
            guard !hasUnsent else { return }
            base += UInt64(output.count)
            taken = 0
            output.removeAll(keepingCapacity: output.capacity <= Lane.keptOutput)
            return
        }
        let answered = Int(first.start - base)
        guard answered > Lane.trimmedOutput && answered * 2 > output.count else { return }
        output.removeFirst(answered)
        base += UInt64(answered)
        taken -= answered
    }

    mutating func hold(_ push: Push?, _ result: PushResult) {
        unconfirmed.append(Unconfirmed(push: push, result: result))
    }

    /// Redis has refused the ASKING before the oldest command.
    mutating func noteAskingRefused() {
        guard !inFlight.isEmpty, case .push(var push) = inFlight[0].command else { return }
        push.isAskingRefused = true
        inFlight[0].command = .push(push)
    }

    mutating func popUnconfirmed() -> Unconfirmed? { unconfirmed.popFirst() }

    // MARK: Endings

    /// Removes everything: what has no reply, with its bytes, oldest first.
    mutating func removeAll() -> [(command: InFlight.Command, bytes: [UInt8], isWritten: Bool)] {
        let all = inFlight.map { ($0.command, bytes(of: $0), $0.end <= written) }
        inFlight.removeAll()
        byteCount = 0
        waits = 0
        return all
    }

    /// Hands out every push whose deadline has come, and finds the next deadline. The replies are still expected.
    mutating func expire(at now: Instant, _ body: (Push) -> Void) {
        earliestDeadline = .never
        for index in inFlight.indices {
            guard case .push(let push) = inFlight[index].command else { continue }
            if push.deadline > now {
                earliestDeadline = min(earliestDeadline, push.deadline)
            } else {
                inFlight[index].command = .abandoned(push.encoding)
                body(push)
            }
        }
        for index in unconfirmed.indices {
            guard let push = unconfirmed[index].push else { continue }
            if push.deadline > now {
                earliestDeadline = min(earliestDeadline, push.deadline)
            } else {
                unconfirmed[index].push = nil
                body(push)
            }
        }
    }
}
