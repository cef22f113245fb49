import System

/// What became of a push.
package enum PushResult: Equatable, Sendable {
    /// The job is in the queue, which has `depth` jobs with it.
    case queued(depth: Int)
    /// Nothing was pushed: the idempotency key of the delivery is there, with this value.
    case existing([UInt8])
    case failed(PushFailure)
}

/// Why a push failed.
package enum PushFailure: Error, Equatable, Sendable {
    /// As many attempts to connect as are allowed have failed.
    case notConnected
    /// The deadline passed before all of the push was handed to the kernel.
    case timedOut
    /// It was handed to the kernel whole, or was about to be, and no reply came in time.
    case ambiguous
    /// Redis answered an error: its first word.
    case refused(ErrorReply, word: String)
    /// It is queued, and fewer replicas than were asked for have acknowledged it in time.
    case notReplicated(acknowledged: Int)
    /// It is queued, and Redis refused the WAIT that was to confirm it: the first word of its error.
    case notConfirmed(word: String)
    /// The idempotency key of the delivery holds a value that this program did not write.
    case foreignValue

    /// Whether the job may be in the queue all the same.
    package var mayBeQueued: Bool {
        switch self {
        case .ambiguous, .notReplicated, .notConfirmed: true
        case .notConnected, .timedOut, .refused, .foreignValue: false
        }
    }
}

/// Why a push was not taken at all.
package enum PushRefusal: Equatable, Sendable {
    /// As many pushes wait as are allowed to.
    case overloaded
    case breakerOpen
    /// The queue has reached its limit.
    case queueFull
}

/// A push's result, and whom it is for.
package struct Completion: Equatable, Sendable {
    package let waiter: UInt64
    package let result: PushResult
}

/// A change that belongs into a log; not every attempt.
package enum DeliveryEvent: Equatable, Sendable {
    case connected(isFirst: Bool, redirectedTo: Endpoint? = nil)
    /// A connection was lost, with so many pushes that may have happened, and so many that are tried again.
    case lost(ConnectionFailure, ambiguous: Int, retried: Int, redirectedTo: Endpoint? = nil)
    /// The first of a row of failures to connect.
    case dialFailed(DialFailure)
    /// A node of a cluster has named the one that has the queue.
    case redirected(from: Endpoint, to: Endpoint)
    case breakerOpened(BreakerCause)
    case breakerClosed
    /// Redis does not tell how long the queue is: the first word of its error to LLEN. Once, until it does.
    case lengthRefused(word: String)
}

/// Why the breaker opened.
package enum BreakerCause: Equatable, Sendable {
    case unreachable(DialFailure)
    case refused(ErrorReply, word: String)
    /// Redis refuses WAIT, without which no push may be confirmed.
    case waitRefused(word: String)
}

/// What the driver of a push machine is to do.
package enum DeliveryAction: Equatable, Sendable {
    /// Connect to the server, and tell the outcome by `connected` or `dialFailed`.
    case dial(slot: Int, Endpoint)
    /// The dial has had its time: close it, and tell by `dialFailed` how far it came.
    case giveUpDial(slot: Int)
    case close(slot: Int)
    /// The addresses that the server's name had may be out of date.
    case forgetAddresses(Endpoint)
}
