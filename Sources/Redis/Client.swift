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
        case .refused(let word): "Redis answered \(word)"
        case .unexpected(let what): "unexpected reply from Redis: \(what)"
        }
    }
}

/// One connection to Redis that waits for each reply: for tools, where nothing else is to be done meanwhile.
package final class Client {
    private let transport: PlainTransport
    private let timeout: Nanoseconds
    private var input: [UInt8] = []
    /// A tool looks at what is there, up to what Redis itself accepts (proto-max-bulk-len).
    private var parser = ReplyParser(replyLimit: 1_073_741_824, bulkLimit: 536_870_912)
    /// What broke the connection: whatever comes on it after that may be the answer to an earlier command.
    private var failure: ClientFailure?

    /// Connects and greets, within the timeout.
    package init(_ address: Address, timeout: Nanoseconds = .seconds(5)) throws(ClientFailure) {
        self.timeout = timeout
        transport = try Client.connect(to: address, timeout: timeout)
        var greeting: [UInt8] = []
        let steps = Greeting.append(for: address, namesItself: false, to: &greeting)
        try send(greeting)
        for step in steps {
            if let objection = step.objection(to: try reply(), from: address) { throw .notConnected("\(objection)") }
        }
    }

    private static func connect(to address: Address, timeout: Nanoseconds) throws(ClientFailure) -> PlainTransport {
        let candidates: [SocketAddress]
        switch address.endpoint {
        case .unix(let path): candidates = [SocketAddress(unixPath: path)].compactMap { $0 }
        case .tcp(let host, let port):
            candidates = SocketAddress.resolve(host: host, port: port, isNumeric: false)
        }
        var failure = ConnectionFailure.unresolved(address.endpoint)
        for candidate in candidates {
            do throws(SystemError) {
                let transport = PlainTransport(try candidate.connect())
                guard let cause = transport.connect(within: timeout) else { return transport }
                failure = cause
            } catch {
                failure = .system("\(error)")
            }
        }
        throw .notConnected("\(failure)")
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
        if case .error(let text) = reply { throw .refused(ErrorReply.word(of: text.span)) }
        return reply
    }

    private func send(_ bytes: [UInt8]) throws(ClientFailure) {
        let deadline = Instant.now + timeout
        var sent = 0
        while sent < bytes.count {
            switch transport.send(bytes.span.extracting(droppingFirst: sent)) {
            case .bytes(let count): sent += count
            case .wouldBlock: guard transport.descriptor.wait(for: .writable, until: deadline) else { throw .timedOut }
            case .closed, .failed: throw .notConnected("the connection broke")
            }
        }
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
                throw .unexpected("invalid RESP (\(error.rawValue))")
            }
            switch transport.receive(into: &chunk, after: 0) {
            case .bytes(let count): input += chunk[..<count]
            case .wouldBlock: guard transport.descriptor.wait(for: .readable, until: deadline) else { throw .timedOut }
            case .closed, .failed: throw .notConnected("the connection broke")
            }
        }
    }
}

extension PlainTransport {
    /// Waits until the connection is made. Returns why it is not, if it is not.
    fileprivate func connect(within timeout: Nanoseconds) -> ConnectionFailure? {
        let deadline = Instant.now + timeout
        while true {
            guard descriptor.wait(for: .writable, until: deadline) else { return .connectTimedOut }
            switch establish() {
            case .established: return nil
            case .underWay: continue
            case .failed(let code): return .connect(code)
            }
        }
    }
}

/// The queue, for tools: what workers and operators do with it.
package struct QueueService {
    private let client: Client
    private let key: [UInt8]

    package init(_ client: Client, key: [UInt8]) {
        self.client = client
        self.key = key
    }

    /// Puts a job in, and returns how long the queue is then.
    package func push(_ job: [UInt8]) throws(ClientFailure) -> Int {
        try integer(try client.call([Array("LPUSH".utf8), key, job]))
    }

    /// The oldest job, which stays where it is; nil where there is none.
    package func oldest() throws(ClientFailure) -> [UInt8]? {
        guard case .bulk(let job) = try client.call([Array("LINDEX".utf8), key, Array("-1".utf8)]) else {
            throw .unexpected("expected a bulk string")
        }
        return job
    }

    /// Takes a job out, the oldest where there are several that are the same. Returns false where there is none.
    package func remove(_ job: [UInt8]) throws(ClientFailure) -> Bool {
        try integer(try client.call([Array("LREM".utf8), key, Array("-1".utf8), job])) == 1
    }

    /// The oldest jobs, at most 1,000, oldest first; they stay where they are.
    package func peek(_ count: Int) throws(ClientFailure) -> [[UInt8]] {
        let range = [Array(String(-min(max(count, 1), 1000)).utf8), Array("-1".utf8)]
        guard case .array(let jobs?) = try client.call([Array("LRANGE".utf8), key] + range) else {
            throw .unexpected("expected an array")
        }
        return jobs.reversed().compactMap { job in if case .bulk(let bytes) = job { bytes } else { nil } }
    }

    /// How many jobs there are.
    package func depth() throws(ClientFailure) -> Int {
        try integer(try client.call([Array("LLEN".utf8), key]))
    }

    private func integer(_ reply: Reply) throws(ClientFailure) -> Int {
        guard case .integer(let number) = reply else { throw .unexpected("expected an integer") }
        return Int(number)
    }
}
