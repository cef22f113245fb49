package import Delivery
import Glibc
package import System

/// TLS around a transport, which is a socket.
package final class TLSTransport<Socket: Transport>: Transport {
    private let socket: Socket
    private let stream: TLSStream
    package private(set) var isConnected = false
    private var input = [UInt8](repeating: 0, count: TLSLimits.inputSize)
    /// Why the connection has failed, if more is known than an error number.
    package private(set) var failure: ConnectionFailure?

    /// Throws EINVAL without a context or for a server name that is not valid; for want of memory as well.
    ///
    /// - Parameters:
    ///   - server: who the server must prove to be.
    ///   - resumes: whether it resumes sessions and keeps new ones; only where the context belongs to this thread.
    package init(
        _ socket: Socket, _ context: TLSContext?, to server: TLSServer, resumes: Bool = true
    ) throws(SystemError) {
        guard let context, let stream = TLSStream(context, to: server, resumes: resumes) else {
            throw SystemError("SSL_set1_host", EINVAL)
        }
        self.socket = socket
        self.stream = stream
    }

    // MARK: Connecting

    package func establish() -> Establishment {
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
            case .done: return isSent ? .established : fail(lastWords ?? .send)
            case .failed(let cause): return fail(.tls(cause))
            case .underWay: break
            }
            guard isSent else { return fail(lastWords ?? .send) }
            switch socket.receive(into: &input, after: 0) {
            case .bytes(let count): stream.feed(input.span.extracting(first: count))
            case .wouldBlock: return .underWay(wantsRoom: holdsOutput)
            case .closed: return fail(.closedInHandshake)
            case .failed(let code): return fail(.receive(code))
            }
        }
    }

    /// What the server has said before it hung up, if that is why.
    private var lastWords: ConnectionFailure? {
        // A handshake is shorter than that, whatever else a server might send.
        for _ in 1...TLSLimits.lastReceives {
            guard case .bytes(let count) = socket.receive(into: &input, after: 0) else { break }
            stream.feed(input.span.extracting(first: count))
        }
        var plaintext = [UInt8](repeating: 0, count: 1024)
        guard case .failed(let cause) = stream.read(into: &plaintext, after: 0) else { return nil }
        return .tls(cause)
    }

    private func fail(_ cause: ConnectionFailure) -> Establishment {
        failure = cause
        return .failed(EPROTO)
    }

    // MARK: Sending

    package func send(_ bytes: Span<UInt8>) -> Transfer {
        guard failure == nil, flush() else { return .failed(EPIPE) }
        guard !holdsOutput else { return .wouldBlock }
        let taken = bytes.extracting(first: min(bytes.count, TLSLimits.send))
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
        switch stream.withOutput({ socket.send($0) }) {
        case .bytes(let count): stream.took(count)
        case .wouldBlock: break
        case .closed, .failed: return false
        }
        return true
    }

    package var holdsOutput: Bool { !stream.output.isEmpty }
    package var delivered: UInt64 { stream.delivered }

    // MARK: Receiving

    package func receive(into buffer: inout [UInt8], after filled: Int) -> Transfer {
        if stream.hasInput, let transfer = read(into: &buffer, after: filled) { return transfer }
        switch socket.receive(into: &input, after: 0) {
        case .bytes(let count): stream.feed(input.span.extracting(first: count))
        case let other: return other
        }
        return read(into: &buffer, after: filled) ?? .wouldBlock
    }

    /// Nil if a record is not whole.
    private func read(into buffer: inout [UInt8], after filled: Int) -> Transfer? {
        let reading = stream.read(into: &buffer, after: filled)
        guard stream.output.count <= TLSLimits.output else {
            failure = .tls(.other("the server keeps requesting key updates, and does not read the responses"))
            return .failed(EPROTO)
        }
        switch reading {
        case .bytes(let count): return .bytes(count)
        case .needsMore: return nil
        case .ended: return .closed
        case .failed(let cause):
            failure = .tls(cause)
            return .failed(EPROTO)
        }
    }

    package var hasBufferedInput: Bool { stream.hasInput }

    package func watch(wantsRoom: Bool) throws(SystemError) { try socket.watch(wantsRoom: wantsRoom) }

    package func close() {
        // Held commands are not sent any more: they count as not delivered, and may have been tried elsewhere.
        if !holdsOutput {
            stream.end()
            _ = flush()
        }
        stream.close()
        socket.close()
    }
}

extension TLSTransport: WaitingTransport where Socket: WaitingTransport {
    package func wait(for readiness: Readiness, until deadline: Instant) -> Bool {
        socket.wait(for: readiness, until: deadline)
    }
}

private enum TLSLimits {
    /// Bytes that are received at once.
    static let inputSize = 65_536
    /// How often the last bytes of a server that has hung up are received, at most.
    static let lastReceives = 4
    /// Bytes of commands that are encrypted before the kernel has taken those before them, at most.
    static let send = 262_144
    /// Bytes that the kernel has not taken, at most: those commands, and answers to what the server asks of TLS.
    static let output = 1_048_576
}
