import Bytes
import Delivery
import Glibc
package import RESP
package import System

/// Why a tool's command did not succeed.
package enum ClientFailure: Error, CustomStringConvertible {
    case notConnected(String)
    case timedOut
    /// An error reply: its first word.
    case refused(String)
    case unexpected(String)

    package var description: String {
        switch self {
        case .notConnected(let reason): "Redis cannot be reached: \(reason)"
        case .timedOut: "no reply from Redis in time"
        case .refused(let word): "Redis answered \(word)\(ClientFailure.advice(on: word))"
        case .unexpected(let what): "unexpected reply from Redis: \(what)"
        }
    }

    private static func advice(on word: String) -> String {
        switch word {
        case "CROSSSLOT":
            ": in a cluster both lists need one hash tag, such as {enhancement}:queue and {enhancement}:dead"
        case "NOPERM": ": the user lacks a right to the command or the key"
        case "WRONGTYPE": ": the key holds something of another type"
        default: ""
        }
    }
}

/// A connection to Redis that waits for each reply: for tools and threads, where nothing else is to be done meanwhile.
/// In a cluster it moves once, to the node that has the key.
package final class Client {
    private var transport: any WaitingTransport
    private var address: Address
    private let tls: TLSContext?
    private var hasMoved = false
    private let timeout: Nanoseconds
    private var input: [UInt8] = []
    private var hasReceived = false
    private var parser: ReplyParser
    /// What broke the connection: whatever comes on it after that may be the answer to an earlier command.
    private var failure: ClientFailure?

    /// Connects and greets, within the timeout.
    ///
    /// - Parameters:
    ///   - tls: what to speak TLS with, where the address asks for it; nil: the files that the address names are read.
    ///   - bulkLimit: bytes of an entry of a list, at most. A tool looks at what is there, up to what Redis itself accepts
    ///     (proto-max-bulk-len).
    package init(
        _ address: Address, tls: TLSContext? = nil, timeout: Nanoseconds = .seconds(5), bulkLimit: Int = 536_870_912
    ) throws(ClientFailure) {
        self.timeout = timeout
        parser = ReplyParser(replyLimit: 2 * bulkLimit, bulkLimit: bulkLimit)
        self.address = address
        self.tls = if let files = address.tls, tls == nil { try Client.context(files) } else { tls }
        transport = try Client.connect(to: address, self.tls, timeout: timeout)
        try greet()
    }

    private func greet() throws(ClientFailure) {
        var greeting: [UInt8] = []
        let steps = Greeting.append(for: address, namesItself: false, to: &greeting)
        try send(greeting)
        for step in steps {
            if let objection = step.objection(to: try reply(), from: address) { throw .notConnected("\(objection)") }
        }
    }

    private static func connect(
        to address: Address, _ context: TLSContext?, timeout: Nanoseconds
    ) throws(ClientFailure) -> any WaitingTransport {
        let candidates: [SocketAddress]
        switch address.endpoint {
        case .unix(let path): candidates = [SocketAddress(unixPath: path)].compactMap { $0 }
        case .tcp(let host, let port):
            candidates = SocketAddress.resolve(host: host, port: port, isNumeric: false)
        }
        var failure = ConnectionFailure.unresolved(address.endpoint)
        for candidate in candidates {
            do throws(SystemError) {
                let socket = PlainTransport(try candidate.connect())
                let transport = try Client.wrap(socket, address, context)
                guard let cause = transport.connect(within: timeout) else { return transport }
                failure = cause
            } catch {
                failure = .system("\(error)")
            }
        }
        throw .notConnected("\(failure)")
    }

    private static func context(_ files: TLSFiles) throws(ClientFailure) -> TLSContext {
        do throws(TLSFileFault) {
            return try TLSContext(files)
        } catch {
            throw .notConnected("\(error)")
        }
    }

    private static func wrap(
        _ socket: PlainTransport, _ address: Address, _ context: TLSContext?
    ) throws(SystemError) -> any WaitingTransport {
        guard let server = address.tlsServer else { return socket }
        // The context may be another thread's, too.
        return try TLSTransport(socket, context, to: server, resumes: false)
    }

    /// Sends a command and waits for its reply.
    package func call(_ arguments: [[UInt8]]) throws(ClientFailure) -> Reply {
        if let failure { throw failure }
        var command: [UInt8] = []
        command.append(commandOf: arguments.count)
        for argument in arguments { command.append(argument: argument.span) }
        let reply: Reply
        do throws(ClientFailure) {
            try send(command)
            reply = try self.reply()
            guard input.isEmpty else { throw .unexpected("an unsolicited reply") }
        } catch {
            failure = error
            throw error
        }
        guard case .error(let text) = reply else { return reply }
        if !hasMoved, let redirection = Redirection(text.span), !redirection.asks,
            let node = redirection.endpoint(from: address.endpoint)
        {
            try move(to: node)
            return try call(arguments)
        }
        throw .refused(ErrorReply.word(of: text.span))
    }

    /// Connects to another node of a cluster instead.
    private func move(to node: Endpoint) throws(ClientFailure) {
        hasMoved = true
        address = Address(node, like: address)
        do throws(ClientFailure) {
            transport = try Client.connect(to: address, tls, timeout: timeout)
            try greet()
        } catch {
            failure = error
            throw error
        }
    }

    private func send(_ bytes: [UInt8]) throws(ClientFailure) {
        let deadline = Instant.now + timeout
        var sent = 0
        while sent < bytes.count {
            switch transport.send(bytes.span.extracting(droppingFirst: sent)) {
            case .bytes(let count): sent += count
            case .wouldBlock: guard transport.wait(for: .writable, until: deadline) else { throw .timedOut }
            case .closed, .failed: throw brokenWhileSending
            }
        }
        // A transport may hold what the kernel did not take.
        let nothing: [UInt8] = []
        while transport.holdsOutput {
            guard transport.wait(for: .writable, until: deadline) else { throw .timedOut }
            if case .failed = transport.send(nothing.span) { throw brokenWhileSending }
        }
    }

    /// A server that has hung up may have said why before.
    private var brokenWhileSending: ClientFailure {
        var rest = [UInt8](repeating: 0, count: 4096)
        while case .bytes = transport.receive(into: &rest, after: 0) {}
        return broken
    }

    private var broken: ClientFailure {
        if let failure = transport.failure { return .notConnected("\(failure)") }
        let isUnanswered = !hasReceived && address.tls == nil
        return .notConnected(isUnanswered ? "\(ConnectionFailure.closedUnanswered)" : "the connection broke")
    }

    private func reply() throws(ClientFailure) -> Reply {
        let deadline = Instant.now + timeout
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            do throws(ReplyFault) {
                let received = input
                if let reply = try parser.next(in: received.span) {
                    input.removeFirst(parser.consumed)
                    parser.discardConsumed()
                    return reply
                }
            } catch {
                let isLength = error == .length || error == .tooLong
                let what = isLength ? "more than \(parser.bulkLimit) bytes, or invalid RESP" : "invalid RESP"
                throw .unexpected("\(what) (\(error.rawValue))")
            }
            switch transport.receive(into: &chunk, after: 0) {
            case .bytes(let count):
                guard hasReceived || chunk[0] != Connection.tlsAlert else {
                    throw .notConnected("\(ConnectionFailure.expectsTLS)")
                }
                hasReceived = true
                input += chunk[..<count]
            case .wouldBlock: guard transport.wait(for: .readable, until: deadline) else { throw .timedOut }
            case .closed, .failed: throw broken
            }
        }
    }
}

extension WaitingTransport {
    /// Waits until the connection is made. Returns why it is not, if it is not.
    fileprivate func connect(within timeout: Nanoseconds) -> ConnectionFailure? {
        let deadline = Instant.now + timeout
        while true {
            switch establish() {
            case .established: return nil
            case .failed(let code): return failure ?? .connect(code)
            case .underWay(let wantsRoom):
                guard wait(for: wantsRoom ? .writable : .readable, until: deadline) else {
                    return isConnected ? .handshakeTimedOut : .connectTimedOut
                }
            }
        }
    }
}
