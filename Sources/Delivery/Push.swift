import System

/// A job on its way into the queue.
struct Push {
    enum Encoding: Equatable {
        /// `LPUSH`
        case plain
        /// The script that pushes a named delivery once, by its digest.
        case digest
        /// The same by the script itself, since Redis did not know the digest.
        case script
    }

    /// Pushes are numbered in the order in which they were taken. One that is tried again keeps its number, and so its
    /// place before younger ones.
    let sequence: UInt64
    /// Who gets the result.
    let waiter: UInt64
    /// When the result must be there.
    let deadline: Instant
    /// Admitted by the open breaker to find out whether Redis takes jobs again.
    let isProbe: Bool
    var encoding: Encoding
    /// Connections that failed under it, and failures to connect while it waited.
    var attempts = 0
    /// Replies that asked for another try on the same connection.
    var repeats = 0
    /// A connection failed after the kernel had all of it: Redis may have executed it, whatever happens later.
    var mayHaveHappened = false
    /// A node has sent it to another. That happens once, unless a connection fails after it.
    var wasRedirected = false
    /// The node that an ASK named: `ASKING` goes before it there.
    var asked: Endpoint?
    /// It refused the `ASKING`, and so will send the push back.
    var isAskingRefused = false

    /// Whether it may be sent again though it may have happened: its name makes the second time harmless.
    var isRepeatable: Bool { encoding != .plain }

    /// A failure, honestly: whatever failed last, an earlier try may have put the job into the queue.
    func honest(_ failure: PushFailure) -> PushFailure {
        mayHaveHappened && !failure.mayBeQueued ? .ambiguous : failure
    }
}
