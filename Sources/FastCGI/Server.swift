import Bytes
package import EventLoop
package import System

/// The FastCGI connections of one process.
///
/// libfcgi reads a request from its socket if the first look finds it whole. Any other request is read and assembled,
/// so that a peer whose send buffer is smaller than its request can go on sending.
package final class Server {
    private static let readiness: Readiness = [.readable, .closed, .edge]

    private let loop: EventLoop
    private let limits: Limits
    private var acceptor: Acceptor
    private var connections: ConnectionTable
    private var scanner: RecordScanner
    private var buffer: [UInt8]
    private let budget: AssemblyBudget
    private var isFinishing = false

    /// The body of the request that arrived last; as many bytes of it as `Arrival` says.
    package private(set) var body: [UInt8]
    package var connectionCount: Int { connections.count }

    package init(_ listener: consuming Listener, in loop: EventLoop, limits: Limits) throws(SystemError) {
        self.loop = loop
        self.limits = limits
        connections = ConnectionTable(in: loop)
        scanner = RecordScanner(bodyLimit: limits.body)
        buffer = [UInt8](repeating: 0, count: scanner.lookLimit)
        body = [UInt8](repeating: 0, count: limits.body + 1)
        // An array of parameters can grow to twice their limit; a body's is reserved to the byte.
        budget = AssemblyBudget(bytesEach: 2 * RecordSequence.parametersLimit + limits.body)
        acceptor = try Acceptor(listener, in: loop)
    }

    // MARK: Accepting

    /// Accepts some of the waiting connections. Returns the failures; if descriptors or memory have run out, accepting
    /// pauses.
    package func accept() -> [AcceptFailure] {
        return acceptor.accept(atMost: Server.acceptLimit, add)
    }

    /// On the listener's timer: descriptors may be free again.
    package func resumeAccepting() -> [AcceptFailure] {
        acceptor.resume().map { [AcceptFailure($0)] } ?? []
    }

    /// Accepts all connections that wait on the listening socket, and closes it. Open connections go on.
    package func stopAccepting() -> [AcceptFailure] {
        acceptor.stopWatching()
        defer { acceptor.close() }
        return acceptor.accept(atMost: Server.backlogLimit, add)
    }

    private func add(_ descriptor: consuming Descriptor) throws(SystemError) {
        let connection = connections.add(descriptor)
        do throws(SystemError) {
            // Edges only: what is left unread for a while must not wake the loop again.
            try loop.watch(connection.descriptor.number, for: Server.readiness, as: connection.token)
        } catch {
            connections.remove(connection)
            throw error
        }
        connections.setDeadline(.idle, of: connection, after: limits.idle)
    }

    // MARK: Requests

    /// On an event: reads what has arrived. `parameter` is called for each CGI variable of a request.
    package func receive(
        _ token: Token, _ readiness: Readiness, parameter: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Arrival {
        guard let connection = connections.connection(token) else { return .nothing }
        let hasClosed = !readiness.isDisjoint(with: .closed)
        switch connection.state {
        case .idle: return look(at: connection, hasClosed: hasClosed, parameter)
        case .assembling(let assembly): return read(connection, into: assembly, hasClosed: hasClosed, parameter)
        case .taken(var taken):
            if hasClosed { taken.isPeerClosed = true } else { taken.hasEarlyArrival = true }
            connection.state = .taken(taken)
            return .nothing
        case .lingering(let dropped):
            discard(connection, after: dropped)
            return .nothing
        }
    }

    private func look(
        at connection: Connection, hasClosed: Bool, _ parameter: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Arrival {
        switch connection.descriptor.peek(into: &buffer) {
        case .wouldBlock where !hasClosed: return .nothing
        case .wouldBlock, .closed, .failed:
            // Between requests: nothing is dropped.
            connections.remove(connection)
            return .nothing
        case .bytes(let count):
            let buffer = self.buffer
            let bytes = buffer.span.extracting(first: count)
            switch scanner.scan(bytes) {
            case .refused(let fault): return drop(connection, .fault(fault))
            case .complete(let shape):
                // A peer that has sent all of its request and closed its end gets no answer, and its request no job.
                guard !hasClosed else { return drop(connection, .incomplete) }
                guard connection.take(shape, into: &body) else { return drop(connection, .unreadable) }
                _ = scanner.forEachParameter(of: shape, in: bytes, parameter)
                // There may be more than was looked at.
                let taken = Connection.Taken(
                    keepsConnection: shape.keepsConnection, isReadToEnd: true,
                    hasEarlyArrival: count == buffer.count)
                return noteTaken(connection, taken, .request(bodyLength: shape.bodyLength))
            case .unfinished:
                guard let share = budget.takeShare() else { return drop(connection, .assemblyFull) }
                let assembly = RequestAssembly(bodyLimit: limits.body, share: share)
                connection.state = .assembling(assembly)
                connections.setDeadline(.request, of: connection, after: limits.request)
                return read(connection, into: assembly, hasClosed: hasClosed, parameter)
            }
        }
    }

    /// Reads what has arrived into an assembly, up to the limit of one turn.
    private func read(
        _ connection: Connection, into assembly: RequestAssembly, hasClosed: Bool,
        _ parameter: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Arrival {
        var left = Server.readLimit
        while left > 0 {
            switch connection.descriptor.receive(into: &buffer, atMost: left) {
            case .wouldBlock where !hasClosed:
                if assembly.isEmpty { becomeIdle(connection) }
                return .nothing
            case .wouldBlock, .closed, .failed:
                guard assembly.isEmpty else { return drop(connection, .incomplete) }
                connections.remove(connection)
                return .nothing
            case .bytes(let count):
                left -= count
                if let arrival = feed(count, to: assembly, of: connection, hasClosed: hasClosed, parameter) {
                    return arrival
                }
            }
        }
        return readsOnNextTurn(connection) ? .nothing : .dropped(.outOfResources)
    }

    /// Makes the loop report on the next turn that there is more to read: epoll does not report the same edge twice. If
    /// that fails, closes the connection and returns false.
    private func readsOnNextTurn(_ connection: Connection) -> Bool {
        do throws(SystemError) {
            try loop.rewatch(connection.descriptor.number, for: Server.readiness, as: connection.token)
            return true
        } catch {
            connections.remove(connection)
            return false
        }
    }

    /// Feeds bytes that were read. Returns nil if more are needed.
    private func feed(
        _ count: Int, to assembly: RequestAssembly, of connection: Connection, hasClosed: Bool,
        _ parameter: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Arrival? {
        let progress: RequestAssembly.Progress
        do throws(ProtocolFault) {
            let buffer = self.buffer
            progress = try assembly.feed(buffer.span.extracting(first: count))
        } catch {
            return drop(connection, .fault(error))
        }
        let replies = assembly.takeReplies()
        if !replies.isEmpty, connection.descriptor.send(replies.span) != .bytes(replies.count) {
            return drop(connection, .replyNotRead)
        }
        switch progress {
        case .incomplete: return nil
        case .complete where hasClosed: return drop(connection, .incomplete)
        case .complete: return take(assembly, of: connection, isReadToEnd: true, parameter)
        case .endless: return take(assembly, of: connection, isReadToEnd: false, parameter)
        }
    }

    private func take(
        _ assembly: RequestAssembly, of connection: Connection, isReadToEnd: Bool,
        _ parameter: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Arrival {
        do throws(SystemError) {
            guard try connection.take(assembly, into: &body) else { return drop(connection, .unreadable) }
        } catch {
            return drop(connection, .outOfResources)
        }
        assembly.forEachParameter(parameter)
        // The socket was not read until it was empty.
        let taken = Connection.Taken(
            keepsConnection: assembly.keepsConnection, isReadToEnd: isReadToEnd, hasEarlyArrival: true)
        let length = assembly.bodyLength
        return noteTaken(
            connection, taken, assembly.isTooLong ? .tooLong(bodyLength: length) : .request(bodyLength: length))
    }

    private func noteTaken(_ connection: Connection, _ taken: Connection.Taken, _ arrival: Arrival) -> Arrival {
        connection.state = .taken(taken)
        connections.clearDeadlines(of: connection)
        return arrival
    }

    private func drop(_ connection: Connection, _ reason: DropReason) -> Arrival {
        connections.remove(connection)
        return .dropped(reason)
    }

    /// Reads and discards, so that a peer that is still sending is not reset before it has read its answer.
    private func discard(_ connection: Connection, after alreadyDropped: Int) {
        var dropped = alreadyDropped
        while dropped < alreadyDropped + Server.readLimit {
            switch connection.descriptor.receive(into: &buffer) {
            case .bytes(let count) where dropped + count <= Server.lingerLimit: dropped += count
            case .wouldBlock:
                connection.state = .lingering(dropped: dropped)
                return
            case .bytes, .closed, .failed: return connections.remove(connection)
            }
        }
        connection.state = .lingering(dropped: dropped)
        _ = readsOnNextTurn(connection)
    }

    // MARK: Answers

    /// Answers a taken request with `CGI header, empty line, body`. Returns whether the kernel has taken the answer; if
    /// not, the connection is closed.
    package func answer(_ token: Token, with response: Span<UInt8>) -> Bool {
        guard let connection = connections.connection(token), case .taken(let taken) = connection.state else {
            return false
        }
        guard !taken.isPeerClosed, connection.answer(response) else {
            connections.remove(connection)
            return false
        }
        if !taken.isReadToEnd {
            linger(connection)
        } else if taken.keepsConnection {
            becomeIdle(connection, isReadable: taken.hasEarlyArrival)
        } else {
            connections.remove(connection)
        }
        return true
    }

    private func becomeIdle(_ connection: Connection, isReadable: Bool = false) {
        if isFinishing && connection.descriptor.unread == 0 { return connections.remove(connection) }
        connection.state = .idle
        connections.setDeadline(.idle, of: connection, after: limits.idle)
        if isReadable { _ = readsOnNextTurn(connection) }
    }

    /// After an answer to a request that was not read to its end: nothing more is sent, so that the peer cannot use the
    /// connection again, and what it still sends is discarded.
    private func linger(_ connection: Connection) {
        connection.descriptor.shutDownSending()
        connections.setDeadline(.request, of: connection, after: limits.request)
        discard(connection, after: 0)
    }

    /// Closes a connection whose request was taken and gets no answer.
    package func abandon(_ token: Token) {
        guard let connection = connections.connection(token) else { return }
        connections.remove(connection)
    }

    // MARK: Ending

    /// On a connection's timer. A request whose body is over the limit is answered even though it has not ended.
    package func timer(_ timer: Token, parameter: (Span<UInt8>, Span<UInt8>) -> Void) -> (Token, Arrival)? {
        guard let connection = connections.overdue(timer) else { return nil }
        guard case .assembling(let assembly) = connection.state else {
            connections.remove(connection)
            return nil
        }
        if assembly.isTooLong {
            return (connection.token, take(assembly, of: connection, isReadToEnd: false, parameter))
        }
        return (connection.token, drop(connection, .timedOut))
    }

    /// Closes idle connections at once, and every other connection after its answer. A connection on which bytes have
    /// just arrived is not idle.
    package func finish() {
        isFinishing = true
        for connection in connections.all {
            if case .idle = connection.state, connection.descriptor.unread == 0 { connections.remove(connection) }
        }
    }
}
