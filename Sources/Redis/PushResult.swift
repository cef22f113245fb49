/// What became of a push.
package enum PushResult: Equatable {
    /// It is in the queue, which is now so long.
    case queued(depth: Int)
    /// Nothing was pushed: the delivery's mark is there, with this value.
    case marked([UInt8])
    case failed(PushFailure)
}

/// Why a push failed. Only `ambiguous` and `notReplicated` may be in the queue all the same.
package enum PushFailure: Error, Equatable {
    /// As many attempts to connect as are allowed have failed.
    case notConnected
    /// The deadline passed before all of the push was handed to the kernel.
    case timedOut
    /// It was handed to the kernel whole, or was about to be, and no reply came in time.
    case ambiguous
    /// Redis answered an error: its first word.
    case refused(ErrorReply, word: String)
    /// Fewer replicas than were asked for have it in time.
    case notReplicated(acknowledged: Int)
}

extension PushFailure {
    /// Whether the job may be in the queue all the same.
    package var mayBeQueued: Bool {
        switch self {
        case .ambiguous, .notReplicated: true
        case .notConnected, .timedOut, .refused: false
        }
    }
}

extension PushFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notConnected: "Redis cannot be reached"
        case .timedOut: "the deadline passed before Redis could be reached"
        case .ambiguous: "Redis did not answer: the job may be queued or not"
        case .refused(let error, let word): "Redis answered \(word): \(error.advice)"
        case .notReplicated(let acknowledged): "only \(acknowledged) replicas have acknowledged the job in time"
        }
    }
}

/// Why a push was not taken at all.
package enum PushRefusal: Equatable {
    /// As many pushes wait as are allowed to.
    case overloaded
    case breakerOpen
    /// The queue has reached its limit.
    case queueFull
}

/// Something that whoever keeps the log wants to know: changes, not every attempt.
package enum PoolEvent: Equatable {
    case connected(isFirst: Bool)
    /// A connection was lost, with so many pushes on it that may have happened, and so many that are tried again.
    case lost(reason: String, ambiguous: Int, retried: Int)
    /// The first of a row of failures to connect.
    case dialFailed(reason: String)
    /// A node of a cluster has named the one that has the queue.
    case redirected(from: String, to: String)
    case breakerOpened(reason: String)
    case breakerClosed
}
