import Bytes
import EventLoop
import RESP
import System

/// A command that was appended to a connection's output, and waits for its reply.
struct Pending {
    enum Kind: Equatable {
        case push
        /// ASKING for the push or LLEN behind it.
        case asking
        /// A push with a mark, by the script's digest.
        case marked
        /// The same by the script itself.
        case scripted
        /// WAIT for the pushes before it.
        case wait
        /// LLEN
        case length
    }

    var kind: Kind
    /// Who gets the result; nil once the result was given without waiting longer.
    var waiter: UInt64?
    /// Where the command begins, counted in bytes since the connection was made, and how long it is.
    var start: UInt64 = 0
    var length: Int
    /// When it was appended, which is the turn in which it was sent.
    var sentAt = Instant.never
    /// When its sender is answered at the latest.
    var deadline: Instant
    /// Connections that failed under it or before it.
    var attempts = 0
    /// One of them failed after the kernel had all of it: whatever comes later, the first try may have succeeded.
    var mayHaveHappened = false
    /// It was let through to find out whether Redis takes jobs again.
    var isProbe = false
    /// Replies that asked for another try.
    var retries = 0
    /// A node of a cluster has sent it to another: that happens once, unless a connection fails after that.
    var wasRedirected = false

    var end: UInt64 { start + UInt64(length) }
    /// A result, said honestly: what may have happened before is ambiguous, whatever failed after that.
    func outcome(_ result: PushResult) -> PushResult {
        guard mayHaveHappened, case .failed(let failure) = result, !failure.mayBeQueued else { return result }
        return .failed(.ambiguous)
    }

    var isPush: Bool { kind == .push || kind == .marked || kind == .scripted }
    /// Whether it may be sent again though it may have happened.
    var isRepeatable: Bool { kind == .marked || kind == .scripted }
}

/// A push that Redis has answered, and its result once replicas have it too.
struct Held {
    var pending: Pending
    let result: PushResult
}

/// A connection to Redis: its state, what was written and not answered, and what was read and not understood yet.
final class Connection {
    enum State {
        case connecting, greeting, ready
        /// Redis asked for another connection. What was written whole is still answered here, and nothing more is written.
        case leaving
    }

    /// Bytes that are read at once, and more than any reply that a push can get.
    private static let inputSize = 65_536
    /// A buffer that has grown beyond this is given back once it is empty.
    private static let keptOutput = 1_048_576

    let token: Token
    /// Where it leads to.
    let endpoint: Address.Endpoint
    /// `ASKING` goes before each push and LLEN.
    let asks: Bool
    private(set) var descriptor: Descriptor
    private(set) var state = State.connecting
    var deadline = Deadline()
    /// Replies that the greeting still waits for.
    var greeting: [Greeting] = []
    var pending = Fifo<Pending>()
    /// Pushes whose WAIT has not been answered.
    var unreplicated = Fifo<Held>()
    /// Whether anything was pushed since the last WAIT.
    var needsWait = false
    /// WAITs without their reply.
    var waits = 0
    /// The kernel takes no more at the moment.
    private(set) var isBlocked = false
    var lastUsed: Instant
    /// No sender of a push here is to be told anything before this.
    private(set) var earliestDeadline = Instant.never

    /// Why it is being left, when what it gave back may be tried elsewhere, and how many pushes that were.
    private(set) var leaving = (reason: "", retryAt: Instant(nanoseconds: 0))
    var returned = 0

    /// Every command since the oldest that was not answered, so that it can be sent again elsewhere.
    private(set) var output: [UInt8] = []
    /// How many bytes there were before `output`.
    private var base: UInt64 = 0
    /// How many of `output` the kernel has.
    private var sent = 0
    private var input = [UInt8](repeating: 0, count: Connection.inputSize)
    private var filled = 0
    private var parser = ReplyParser(replyLimit: Connection.inputSize / 2)

    init(
        _ descriptor: consuming Descriptor, token: Token, endpoint: Address.Endpoint, asks: Bool, now: Instant
    ) {
        self.endpoint = endpoint
        self.asks = asks
        self.descriptor = descriptor
        self.token = token
        lastUsed = now
    }

    var isGreeted: Bool { state == .ready || state == .leaving }
    /// Whether a command that Redis has whole waits for its reply.
    var awaitsReply: Bool { pending.first.map { $0.end <= written } ?? false }
    var isLoaded: Bool { isBlocked || waits > 0 }
    var hasUnsent: Bool { sent < output.count }
    var unsent: Int { output.count - sent }
    /// All before this offset the kernel has.
    var written: UInt64 { base + UInt64(sent) }

    // MARK: States

    /// Begins with commands that no `Pending` describes.
    func greet(_ address: Address) {
        greeting = Greeting.append(for: address, to: &output)
        state = .greeting
    }

    func becomeReady() {
        state = .ready
        deadline.clear()
        trim()
    }

    func leave(_ reason: String, retryAt: Instant) {
        state = .leaving
        leaving = (reason, retryAt)
    }

    /// Closes it for Redis too, at once: another may be dialled in its place.
    func close() { descriptor = .none }

    // MARK: Output

    /// Appends a command: `write` writes it.
    func append(_ pending: Pending, now: Instant, _ write: (inout [UInt8]) -> Void) {
        var pending = pending
        let before = output.count
        pending.start = base + UInt64(before)
        write(&output)
        pending.length = output.count - before
        pending.sentAt = now
        lastUsed = now
        earliestDeadline = min(earliestDeadline, pending.deadline)
        self.pending.append(pending)
    }

    /// The bytes of a command that was not answered.
    func command(_ pending: Pending) -> [UInt8] {
        let start = Int(pending.start - base)
        return Array(output[start..<start + pending.length])
    }

    /// Hands the kernel what it takes. Returns false where the connection has failed.
    func flush() -> Bool {
        guard hasUnsent else { return true }
        switch sendUnsent() {
        case .bytes(let count): sent += count
        case .wouldBlock: break
        case .closed, .failed: return false
        }
        isBlocked = hasUnsent
        return true
    }

    private func sendUnsent() -> Transfer {
        let output = output
        return descriptor.send(output.span.extracting(droppingFirst: sent))
    }

    /// Forgets the output that was answered.
    func trim() {
        guard let first = pending.first else {
            guard !hasUnsent else { return }
            base += UInt64(output.count)
            sent = 0
            output.removeAll(keepingCapacity: output.capacity <= Connection.keptOutput)
            return
        }
        let answered = Int(first.start - base)
        guard answered > 65_536 && answered * 2 > output.count else { return }
        output.removeFirst(answered)
        base += UInt64(answered)
        sent -= answered
    }

    /// Hands out every push whose deadline has come, and finds the next deadline.
    func takeExpired(at now: Instant, _ body: (inout Pending) -> Void) {
        earliestDeadline = .never
        for index in 0..<pending.count { expire(&pending[index], at: now, body) }
        for index in 0..<unreplicated.count { expire(&unreplicated[index].pending, at: now, body) }
    }

    private func expire(_ pending: inout Pending, at now: Instant, _ body: (inout Pending) -> Void) {
        guard pending.waiter != nil else { return }
        guard pending.deadline > now else { return body(&pending) }
        earliestDeadline = min(earliestDeadline, pending.deadline)
    }

    // MARK: Input

    /// Reads once.
    func receive() -> Transfer {
        let transfer = descriptor.receive(into: &input, after: filled)
        if case .bytes(let count) = transfer { filled += count }
        return transfer
    }

    /// The next reply among what was read, or nil.
    func nextReply() throws(ReplyFault) -> Reply? {
        let input = input
        return try parser.next(in: input.span.extracting(first: filled))
    }

    /// Moves what was read and is no whole reply to the beginning.
    func discardReplies() {
        let consumed = parser.consumed
        guard consumed > 0 else { return }
        if consumed < filled {
            for index in consumed..<filled { input[index - consumed] = input[index] }
        }
        filled -= consumed
        parser.discardConsumed()
    }

    /// Whether the read buffer is full of what is no reply.
    var isClogged: Bool { filled == input.count }
}
