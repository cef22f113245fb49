import Delivery
import Glibc
import System

/// TLS around a socket.
final class TLSTransport: WaitingTransport {
    /// Bytes that are received at once.
    private static let inputSize = 65_536
    /// Bytes of commands that are encrypted before the kernel has taken those before them, at most.
    private static let sendLimit = 262_144

    private let socket: PlainTransport
    private let stream: TLSStream
    private(set) var isConnected = false
    private var input = [UInt8](repeating: 0, count: TLSTransport.inputSize)
    /// Why the connection has failed, if more is known than an error number.
    private(set) var failure: ConnectionFailure?

    init(_ socket: PlainTransport, _ stream: TLSStream) {
        self.socket = socket
        self.stream = stream
    }

    // MARK: Connecting

    func establish() -> Establishment {
        if !isConnected {
            switch socket.establish() {
            case .established: isConnected = true
            case let other: return other
            }
        }
        while true {
            let handshake = stream.handshake()
            // Also the alert that tells the server what is wrong.
            let isSent = flush()
            switch handshake {
            case .done: return isSent ? .established : fail(.send)
            case .failed(let cause): return fail(.tls(cause))
            case .underWay: break
            }
            guard isSent else { return fail(.send) }
            switch socket.receive(into: &input, after: 0) {
            case .bytes(let count): stream.feed(input.span.extracting(first: count))
            case .wouldBlock:
                watchForHandshake()
                return .underWay
            case .closed: return fail(.closedByRedis)
            case .failed(let code): return fail(.receive(code))
            }
        }
    }

    private func fail(_ cause: ConnectionFailure) -> Establishment {
        failure = cause
        return .failed(EPROTO)
    }

    /// A socket that has room would wake the loop at once.
    private func watchForHandshake() {
        do throws(SystemError) { try socket.watch(wantsRoom: holdsOutput) } catch { failure = .system("\(error)") }
    }

    // MARK: Sending

    func send(_ bytes: Span<UInt8>) -> Transfer {
        guard failure == nil, flush() else { return .failed(EPIPE) }
        guard !holdsOutput else { return .wouldBlock }
        let taken = bytes.extracting(first: min(bytes.count, TLSTransport.sendLimit))
        if let cause = stream.write(taken) {
            failure = .tls(cause)
            return .failed(EPROTO)
        }
        guard flush() else { return .failed(EPIPE) }
        return .bytes(taken.count)
    }

    /// One send of what is encrypted. Returns false if the socket has failed.
    private func flush() -> Bool {
        guard holdsOutput else { return true }
        let output = stream.output
        switch socket.send(output.span) {
        case .bytes(let count): stream.took(count)
        case .wouldBlock: break
        case .closed, .failed: return false
        }
        return true
    }

    var holdsOutput: Bool { !stream.output.isEmpty }
    var delivered: UInt64 { stream.delivered }

    // MARK: Receiving

    func receive(into buffer: inout [UInt8], after filled: Int) -> Transfer {
        if stream.hasInput, let transfer = read(into: &buffer, after: filled) { return transfer }
        switch socket.receive(into: &input, after: 0) {
        case .bytes(let count): stream.feed(input.span.extracting(first: count))
        case let other: return other
        }
        return read(into: &buffer, after: filled) ?? .wouldBlock
    }

    /// Nil if a record is not whole.
    private func read(into buffer: inout [UInt8], after filled: Int) -> Transfer? {
        switch stream.read(into: &buffer, after: filled) {
        case .bytes(let count): return .bytes(count)
        case .needsMore: return nil
        case .ended: return .closed
        case .failed(let cause):
            failure = .tls(cause)
            return .failed(EPROTO)
        }
    }

    var hasBufferedInput: Bool { stream.hasInput }

    func wait(for readiness: Readiness, until deadline: Instant) -> Bool {
        socket.wait(for: readiness, until: deadline)
    }

    func watch(wantsRoom: Bool) throws(SystemError) { try socket.watch(wantsRoom: wantsRoom) }

    func close() {
        stream.close()
        socket.close()
    }
}
