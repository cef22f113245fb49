import Bytes
import Delivery
import EventLoop
import Glibc
import RESP
import System

/// One connection to a Redis server, from connecting to its end: its transport, its greeting, and the replies that are
/// read from it. What is written, and what the replies mean, others decide.
final class Connection {
    enum State {
        case connecting
        /// The replies that the greeting still waits for, and its bytes that are not sent yet.
        case greeting([Greeting], unsent: ArraySlice<UInt8>)
        case ready
        case closed
    }

    /// What an event of a connection came to.
    enum Progress {
        case nothing
        /// There are bytes to be read as replies.
        case received
        case failed(ConnectionFailure)
    }

    /// The first byte of an alert (RFC 8446, section 5.1). No reply of Redis begins with it.
    static let tlsAlert: UInt8 = 21
    /// Bytes that are read at once, and more than any reply that a push can get.
    private static let inputSize = 65_536

    let token: Token
    private let transport: any Transport
    private let address: Address
    private let namesItself: Bool
    private(set) var state = State.connecting
    /// Bytes of the greeting, which do not count as commands'.
    private var greetingLength: UInt64 = 0
    private var isWatchedForRoom = true
    private var input = [UInt8](repeating: 0, count: Connection.inputSize)
    private var filled = 0
    private var hasReceived = false
    private var parser = ReplyParser(replyLimit: Connection.inputSize / 2)

    /// - Parameter namesItself: whether the greeting has CLIENT SETNAME in it.
    init(_ transport: any Transport, token: Token, address: Address, namesItself: Bool) {
        self.transport = transport
        self.token = token
        self.address = address
        self.namesItself = namesItself
    }

    var isReady: Bool { if case .ready = state { true } else { false } }
    var isClosed: Bool { if case .closed = state { true } else { false } }
    /// Why the connection is not ready when its time is over.
    var timeout: ConnectionFailure {
        guard case .connecting = state else { return .greetingTimedOut }
        return transport.isConnected ? .handshakeTimedOut : .connectTimedOut
    }
    /// Whether a hang-up now speaks against the greeting: CLIENT SETNAME has no answer, or is not in it.
    var mayHaveWrongGreeting: Bool {
        if case .greeting(let steps, _) = state { !namesItself || steps.contains(.setName) } else { false }
    }

    func close() {
        state = .closed
        transport.close()
    }

    // MARK: Becoming ready

    /// Goes on with connecting and greeting after an event.
    func advance(_ readiness: Readiness) -> Progress {
        switch state {
        case .connecting:
            switch transport.establish() {
            case .underWay(let wantsRoom): return watch(wantsRoom: wantsRoom).map { .failed($0) } ?? .nothing
            case .failed(let error): return .failed(transport.failure ?? .connect(error))
            case .established: return greet()
            }
        case .greeting:
            if readiness.contains(.writable), let failure = sendGreeting() { return failed(failure) }
            guard !readiness.subtracting(.writable).isEmpty else { return .nothing }
            return receive()
        case .ready: return readiness.subtracting(.writable).isEmpty ? .nothing : receive()
        case .closed: return .nothing
        }
    }

    private func greet() -> Progress {
        var bytes: [UInt8] = []
        let steps = Greeting.append(for: address, namesItself: namesItself, to: &bytes)
        greetingLength = UInt64(bytes.count)
        state = .greeting(steps, unsent: bytes[...])
        return sendGreeting().map { failed($0) } ?? .nothing
    }

    private func sendGreeting() -> ConnectionFailure? {
        guard case .greeting(let steps, var unsent) = state, !unsent.isEmpty || transport.holdsOutput else {
            return nil
        }
        let bytes = Array(unsent)
        switch transport.send(bytes.span) {
        case .bytes(let count): unsent = unsent.dropFirst(count)
        case .wouldBlock: break
        case .closed, .failed: return sendFailure
        }
        state = .greeting(steps, unsent: unsent)
        return watch(wantsRoom: !unsent.isEmpty || transport.holdsOutput)
    }

    /// A connection that cannot be written to may still hold what the server said before it hung up.
    private func failed(_ failure: ConnectionFailure) -> Progress {
        if case .received = receive() { return .received }
        return .failed(transport.failure ?? failure)
    }

    /// Takes a reply to the greeting. Returns why the connection cannot carry commands, if it cannot.
    func takeGreeting(_ reply: Reply) -> ConnectionFailure? {
        guard case .greeting(var steps, let unsent) = state, let step = steps.first else { return .unrequestedReply }
        if let objection = step.objection(to: reply, from: address) { return objection }
        steps.removeFirst()
        // A server that has answered everything before it has everything has not read it.
        guard !steps.isEmpty || transport.delivered >= greetingLength else { return .unrequestedReply }
        state = steps.isEmpty ? .ready : .greeting(steps, unsent: unsent)
        return nil
    }

    // MARK: Sending

    /// Sends as much as is taken now. Returns how much that was, or nil where the connection has failed.
    func send(_ bytes: Span<UInt8>) -> Int? {
        switch transport.send(bytes) {
        case .bytes(let count): count
        case .wouldBlock: 0
        case .closed, .failed: nil
        }
    }

    /// Why nothing can be sent any more.
    var sendFailure: ConnectionFailure { transport.failure ?? .send }

    /// How many bytes of commands the kernel has.
    var delivered: UInt64 { transport.delivered - greetingLength }
    var holdsOutput: Bool { transport.holdsOutput }

    /// Has the loop tell when there is room to send, or no longer.
    func watch(wantsRoom: Bool) -> ConnectionFailure? {
        guard wantsRoom != isWatchedForRoom else { return nil }
        do throws(SystemError) {
            try transport.watch(wantsRoom: wantsRoom)
            isWatchedForRoom = wantsRoom
            return nil
        } catch {
            return .system("\(error)")
        }
    }

    // MARK: Receiving

    func receive() -> Progress {
        switch transport.receive(into: &input, after: filled) {
        case .bytes(let count):
            if !hasReceived && input[filled] == Connection.tlsAlert { return .failed(.expectsTLS) }
            hasReceived = true
            filled += count
            return .received
        case .wouldBlock: return .nothing
        case .closed: return .failed(mayExpectTLS ? .closedUnanswered : .closedByRedis)
        case .failed(ECONNRESET) where mayExpectTLS: return .failed(.closedUnanswered)
        case .failed(let code): return .failed(transport.failure ?? .receive(code))
        }
    }

    /// Whether a hang-up may be a TLS server's answer to a plain command.
    private var mayExpectTLS: Bool { !hasReceived && address.tls == nil }

    var hasBufferedInput: Bool { transport.hasBufferedInput }

    /// The next reply among what was received, or nil.
    func nextReply() throws(ReplyFault) -> Reply? {
        let input = input
        return try parser.next(in: input.span.extracting(first: filled))
    }

    /// Moves what was received and is not a whole reply to the beginning of the buffer. Returns false where that fills it.
    func discardReplies() -> Bool {
        let consumed = parser.consumed
        if consumed > 0 {
            for index in consumed..<filled { input[index - consumed] = input[index] }
            filled -= consumed
            parser.discardConsumed()
        }
        return filled < input.count
    }
}
