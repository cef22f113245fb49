import Bytes
package import EventLoop
import RESP
package import System

/// What arrives: events, and replies to the oldest command.
extension Pool {
    func connection(_ token: Token) -> Connection? {
        let slot = Int(token.slot)
        guard slot < connections.count, generations[slot] == token.generation else { return nil }
        return connections[slot]
    }

    // MARK: Events

    package func event(_ token: Token, _ readiness: Readiness) {
        guard let connection = connection(token) else { return }
        if connection.state == .connecting { return greet(connection) }
        if readiness.contains(.writable) && connection.state != .leaving { send(connection) }
        if !readiness.subtracting(.writable).isEmpty && !isLost(connection) { receive(on: connection) }
    }

    /// Reads once, and takes the replies. Returns false where there was nothing, or the connection is lost.
    @discardableResult
    func receive(on connection: Connection) -> Bool {
        switch connection.receive() {
        case .bytes: return takeReplies(on: connection)
        case .wouldBlock: return false
        case .closed: lose(connection, "Redis closed the connection")
        case .failed(let code): lose(connection, "recv: \(SystemError.text(code))")
        }
        return false
    }

    private func takeReplies(on connection: Connection) -> Bool {
        do throws(ReplyFault) {
            while let reply = try connection.nextReply() {
                guard take(reply, on: connection) else { return false }
            }
        } catch {
            lose(connection, "Redis sent something that is no RESP (\(error.rawValue))")
            return false
        }
        connection.discardReplies()
        guard !connection.isClogged else {
            lose(connection, "Redis sent a reply that is too long")
            return false
        }
        connection.trim()
        guard connection.state != .leaving || connection.awaitsReply else {
            lose(connection, connection.leaving.reason)
            return false
        }
        if connection.isGreeted { setDeadline(of: connection) }
        return true
    }

    // MARK: Replies

    /// Takes the reply to the oldest command. Returns false where the connection is lost over it.
    private func take(_ reply: Reply, on connection: Connection) -> Bool {
        guard connection.isGreeted else { return takeGreeting(reply, on: connection) }
        // Of a command that Redis has not whole it can only say that it is none.
        guard let pending = connection.pending.first, pending.end <= connection.written || reply.isProtocolError else {
            lose(connection, "Redis sent a reply that nobody had asked for")
            return false
        }
        if case .error(let text) = reply { return take(error: text, for: pending, on: connection) }
        switch (pending.kind, reply) {
        case (.push, .integer(let depth)) where depth >= 1, (.marked, .integer(let depth)) where depth >= 1,
            (.scripted, .integer(let depth)) where depth >= 1:
            queueDepth.pushed(Int(depth))
            if breaker.state == .probing { breaker.succeeded() }
            finish(on: connection, .queued(depth: Int(depth)))
        case (.marked, .bulk(let value?)), (.scripted, .bulk(let value?)):
            if breaker.state == .probing { breaker.succeeded() }
            finish(on: connection, .marked(value))
        case (.asking, .simple): _ = popPending(on: connection)
        case (.wait, .integer(let acknowledged)):
            _ = popPending(on: connection)
            replicated(Int(acknowledged), on: connection)
        case (.length, .integer(let depth)) where depth >= 0:
            _ = popPending(on: connection)
            queueDepth.measure(Int(depth), at: loop.now)
        default:
            lose(connection, "Redis sent a reply of a type that the command cannot have")
            return false
        }
        return true
    }

    func popPending(on connection: Connection) -> Pending {
        let pending = connection.pending.popFirst()!
        pendingBytes -= pending.length
        return pending
    }

    /// Completes the oldest push, or keeps its result until replicas have acknowledged it.
    func finish(on connection: Connection, _ result: PushResult) {
        var pending = popPending(on: connection)
        guard settings.waitReplicas > 0 else { return complete(&pending, result) }
        // Replicas could not confirm a failure.
        if case .failed = result { return complete(&pending, result) }
        connection.unreplicated.append(Held(pending: pending, result: result))
    }

    /// Takes the reply to WAIT: every push that was answered before it was written before it, and is covered.
    func replicated(_ acknowledged: Int, on connection: Connection) {
        connection.waits -= 1
        let isEnough = acknowledged >= settings.waitReplicas
        while var held = connection.unreplicated.popFirst() {
            complete(&held.pending, isEnough ? held.result : .failed(.notReplicated(acknowledged: acknowledged)))
        }
    }
}

extension Reply {
    fileprivate var isProtocolError: Bool {
        guard case .error(let text) = self else { return false }
        return ErrorReply(text.span) == .protocolError
    }
}
