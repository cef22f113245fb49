import Bytes
package import EventLoop

/// What a connection's bytes came to.
package enum Arrival: Equatable {
    case nothing
    /// A request was taken; it wants an answer, or to be dropped.
    case request(bodyLength: Int)
    /// A request that is too long to be taken; it wants an answer at once.
    case tooLong(bodyLength: Int)
    case dropped(DropReason)
}

/// Why a connection was closed with a request on it unanswered.
package enum DropReason: Equatable {
    case fault(ProtocolFault)
    /// The peer closed, or its request was not whole, within the deadline.
    case incomplete
    case timedOut
}

/// The FastCGI connections of one process.
///
/// A connection that is idle, or whose request is not whole, costs a slot here and nothing else.
package final class Server {
    /// How long, and how much.
    package struct Limits {
        /// From a request's first byte to its last.
        package var request: Nanoseconds
        /// How long a kept connection may lie idle: longer than the web server keeps it, so that it is the first to close.
        package var idle: Nanoseconds
        /// Bytes of body.
        package var body: Int

        package init(request: Nanoseconds = .seconds(5), idle: Nanoseconds = .seconds(120), body: Int = 131_072) {
            self.request = request
            self.idle = idle
            self.body = body
        }
    }

    /// How long nothing is accepted after descriptors have run out.
    private static let exhaustionDelay = Nanoseconds.milliseconds(100)
    /// Connections accepted in one turn: a process that is woken leaves some for its siblings.
    private static let acceptLimit = 4

    private let loop: EventLoop
    private let limits: Limits
    private let connectionKind: UInt8
    private let listenerToken: Token
    private var listener: Listener
    private var scanner: RecordScanner
    private var peeked: [UInt8]
    private var connections: [Connection?] = []
    private var generations: [UInt16] = []
    private var free: [Int] = []
    private var resumesAccepting = Deadline()

    /// The body of the request that arrived last; as many bytes of it as `Arrival` says.
    package private(set) var body: [UInt8]
    package var connectionCount: Int { connections.count - free.count }

    package init(
        _ listener: consuming Listener, in loop: EventLoop, kinds: (listener: UInt8, connection: UInt8), limits: Limits
    )
        throws(SystemError)
    {
        self.loop = loop
        self.limits = limits
        connectionKind = kinds.connection
        listenerToken = Token(kind: kinds.listener)
        scanner = RecordScanner(bodyLimit: limits.body)
        peeked = [UInt8](repeating: 0, count: scanner.requestLimit)
        body = [UInt8](repeating: 0, count: limits.body + 1)
        self.listener = listener
        try loop.watch(self.listener.number, for: [.readable, .exclusive], as: listenerToken)
    }

    // MARK: Accepting

    /// Accepts some of those who wait. Returns the error where descriptors or memory have run out, and then pauses.
    package func accept() -> SystemError? {
        for _ in 0..<Server.acceptLimit {
            switch acceptOne() {
            case .connection(let descriptor): add(descriptor)
            case .nobody: return nil
            case .exhausted(let error):
                loop.unwatch(listener.number)
                resumesAccepting.set(loop.now + Server.exhaustionDelay, in: loop, for: listenerToken)
                return error
            }
        }
        return nil
    }

    private func acceptOne() -> Listener.Accepted {
        listener.isOpen ? listener.accept() : .nobody
    }

    /// On the listener's timer: descriptors may be free again.
    package func resumeAccepting() {
        guard resumesAccepting.hasPassed(in: loop, for: listenerToken), listener.isOpen else { return }
        try? loop.watch(listener.number, for: [.readable, .exclusive], as: listenerToken)
    }

    /// Takes in all who wait on the listening socket, up to `limit`, and closes it. Requests on connections go on.
    package func stopAccepting(limit: Int = 4096) {
        // Closing our descriptor would not end that: the open socket is shared with the sibling processes.
        if listener.isOpen { loop.unwatch(listener.number) }
        for _ in 0..<limit {
            guard case .connection(let descriptor) = acceptOne() else { break }
            add(descriptor)
        }
        listener.close()
    }

    private func add(_ descriptor: consuming Descriptor) {
        let slot: Int
        if let last = free.popLast() {
            slot = last
        } else {
            slot = connections.count
            connections.append(nil)
            generations.append(0)
        }
        let token = Token(kind: connectionKind, slot: slot, generation: generations[slot])
        let number = descriptor.number
        let connection = Connection(descriptor, token: token)
        do throws(SystemError) {
            // Edges only: what is unread because it is not whole must not wake the loop again.
            try loop.watch(number, for: [.readable, .closed, .edge], as: token)
        } catch {
            free.append(slot)
            return
        }
        connections[slot] = connection
        connection.deadline.set(loop.now + limits.idle, in: loop, for: token)
    }

    private func connection(_ token: Token) -> Connection? {
        let slot = Int(token.slot)
        guard slot < connections.count, generations[slot] == token.generation else { return nil }
        return connections[slot]
    }

    private func close(_ connection: Connection) {
        let slot = Int(connection.token.slot)
        connections[slot] = nil
        generations[slot] &+= 1
        free.append(slot)
    }

    // MARK: Requests

    /// On an event: reads what has come. `parameter` is called for each CGI variable of a request.
    package func receive(
        _ token: Token, _ readiness: Readiness, parameter: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Arrival {
        guard let connection = connection(token) else { return .nothing }
        switch connection.state {
        case .taken:
            if readiness.isDisjoint(with: .closed) {
                connection.arrivedEarly = true
            } else {
                connection.peerClosed = true
            }
            return .nothing
        case .discarding:
            discard(connection)
            return .nothing
        case .idle, .receiving:
            return look(at: connection, hasClosed: !readiness.isDisjoint(with: .closed), parameter)
        }
    }

    private func look(
        at connection: Connection, hasClosed: Bool, _ parameter: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Arrival {
        if connection.state == .receiving && !hasClosed && connection.descriptor.unread < connection.needed {
            return .nothing
        }
        switch connection.descriptor.peek(into: &peeked) {
        case .wouldBlock: return hasClosed ? drop(connection, .incomplete) : .nothing
        case .closed, .failed: return drop(connection, .incomplete)
        case .bytes(let count): return scan(count, of: connection, hasClosed: hasClosed, parameter)
        }
    }

    private func scan(
        _ count: Int, of connection: Connection, hasClosed: Bool, _ parameter: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Arrival {
        let peeked = self.peeked
        let bytes = peeked.span.extracting(first: count)
        switch scanner.scan(bytes) {
        case .complete(let shape):
            // A peer that has sent all of its request and closed its end gets no answer, and its request no job.
            if hasClosed || !connection.take(shape, into: &body) { return drop(connection, .incomplete, taken: true) }
            _ = scanner.forEachParameter(of: shape, in: bytes, parameter)
            connection.state = .taken
            connection.deadline.clear()
            return .request(bodyLength: shape.bodyLength)
        case .incomplete(let needed):
            if needed > peeked.count { return drop(connection, .fault(.requestTooLong)) }
            if hasClosed { return drop(connection, .incomplete, taken: true) }
            if connection.state == .idle {
                connection.state = .receiving
                connection.deadline.set(loop.now + limits.request, in: loop, for: connection.token)
            }
            connection.needed = needed
            return .nothing
        case .tooLong(let shape):
            _ = scanner.forEachParameter(of: shape, in: bytes, parameter)
            tooLongRequest = shape.requestID
            connection.state = .discarding
            connection.deadline.set(loop.now + limits.request, in: loop, for: connection.token)
            return .tooLong(bodyLength: shape.bodyLength)
        case .refused(let fault):
            return drop(connection, .fault(fault))
        }
    }

    private var tooLongRequest: UInt16 = 0

    private func drop(_ connection: Connection, _ reason: DropReason, taken: Bool = false) -> Arrival {
        // Closing a connection between requests drops nothing.
        let wasIdle = connection.state == .idle && reason == .incomplete && !taken
        close(connection)
        return wasIdle ? .nothing : .dropped(reason)
    }

    /// Reads and forgets, so that the peer, which still sends, is not reset before it has read its answer.
    private func discard(_ connection: Connection) {
        for _ in 0..<256 {
            switch connection.descriptor.receive(into: &peeked) {
            case .bytes: continue
            case .wouldBlock: return
            case .closed, .failed: return close(connection)
            }
        }
        // More than a turn's share of it: whoever sends so much is not waiting for an answer.
        close(connection)
    }

    // MARK: Answers

    /// Answers a taken request with `CGI header, empty line, body`. Returns whether the answer could be delivered to the
    /// kernel; if not, the connection is closed.
    package func answer(_ token: Token, with response: Span<UInt8>) -> Bool {
        guard let connection = connection(token), connection.state == .taken else { return false }
        guard !connection.peerClosed, connection.answer(response) else {
            close(connection)
            return false
        }
        guard connection.isKept else {
            close(connection)
            return true
        }
        connection.state = .idle
        connection.needed = 1
        connection.deadline.set(loop.now + limits.idle, in: loop, for: token)
        return true
    }

    /// Answers a request that was too long to be taken.
    package func answerTooLong(_ token: Token, with response: Span<UInt8>) -> Bool {
        guard let connection = connection(token), connection.state == .discarding else { return false }
        guard connection.answerUnread(response, requestID: tooLongRequest) else {
            close(connection)
            return false
        }
        discard(connection)
        return true
    }

    /// Closes a connection whose request was taken and gets no answer.
    package func abandon(_ token: Token) {
        guard let connection = connection(token) else { return }
        close(connection)
    }

    /// Whether bytes came in while the request was taken: edge-triggered events will not tell again.
    package func arrivedEarly(_ token: Token) -> Bool {
        guard let connection = connection(token), connection.state == .idle, connection.arrivedEarly else {
            return false
        }
        connection.arrivedEarly = false
        return true
    }

    /// On a connection's timer.
    package func timer(_ token: Token) -> Arrival {
        guard let connection = connection(token), connection.deadline.hasPassed(in: loop, for: token) else {
            return .nothing
        }
        let wasReceiving = connection.state == .receiving
        close(connection)
        return wasReceiving ? .dropped(.timedOut) : .nothing
    }
}
