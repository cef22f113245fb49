import Bytes
import Redis
import Webhook

/// The Redis pool as the contract's queue.
struct PoolQueue: JobQueue {
    let pool: Pool
    /// `{queue}:seen:`; the braces keep a mark in the slot of the queue.
    private let markPrefix: [UInt8]

    init(_ pool: Pool, queue: String) {
        self.pool = pool
        markPrefix = Array("{\(queue)}:seen:".utf8)
    }

    func push(_ job: Span<UInt8>, id: [UInt8], delivery: Delivery?, waiter: UInt64) -> Reason? {
        var mark: Mark?
        if let delivery {
            let key = markPrefix + delivery.tenantID + [UInt8(ascii: ":")] + delivery.id
            mark = Mark(key: key, value: PoolQueue.markValue(id: id, digest: delivery.digest))
        }
        switch pool.push(job, mark: mark, waiter: waiter) {
        case nil: return nil
        case .overloaded: return .overloaded
        case .breakerOpen: return .breakerOpen
        case .queueFull: return .queueFull
        }
    }

    /// `<job_id>:<digest of the body>`, 36 and 64 characters.
    static func markValue(id: [UInt8], digest: Tag) -> [UInt8] {
        var value = id + [UInt8(ascii: ":")]
        value.append(hex: digest)
        return value
    }

    /// What a mark that was found says about a delivery that would have set `mine`.
    static func compare(found: [UInt8], mine: [UInt8]) -> Repeat {
        guard found.count == mine.count, found.count == 101 else { return .conflict }
        if found == mine { return .same }
        return found[37...] == mine[37...] ? .repeated(jobID: Array(found[..<36])) : .conflict
    }

    enum Repeat: Equatable {
        /// The mark is our own: an attempt that was thought lost had succeeded.
        case same
        case repeated(jobID: [UInt8])
        case conflict
    }
}

extension Reason {
    init(_ failure: PushFailure) {
        switch failure {
        case .notConnected: self = .notConnected
        case .timedOut: self = .pushTimedOut
        case .ambiguous: self = .ambiguous
        case .notReplicated: self = .notReplicated
        case .refused(.misconfigured, _), .refused(.protectedMode, _), .refused(.elsewhere, _),
            .refused(.notAuthenticated, _),
            .refused(.protocolError, _), .refused(.unknownScript, _):
            self = .queueMisconfigured
        case .refused: self = .queueRefused
        }
    }
}
