package import System

/// How jobs are delivered. The defaults are the program's.
package struct DeliveryPolicy {
    /// The list's key.
    package var queue: String
    /// Connections, at most; another is opened only while those that there are cannot take more.
    package var maxConnections = 10
    /// From connect(2) to the end of the greeting. A name look-up before it has as long again.
    package var connectTimeout = Nanoseconds.seconds(5)
    /// From a command to its reply.
    package var replyTimeout = Nanoseconds.seconds(5)
    /// How often a push is tried, counting failures to connect and connections that fail under it.
    package var attempts = 3
    /// Between two attempts; the actual delay is half of it to all of it.
    package var retryDelay = Nanoseconds.seconds(1)
    /// How long a connection that is not the first may lie idle.
    package var idleTimeout = Nanoseconds.seconds(60)
    /// From a push to its result, whatever happens.
    package var pushDeadline = Nanoseconds.seconds(8)
    /// Pushes without a result, at most.
    package var maxPending = 4096
    /// Seconds for which a named delivery is remembered; 0: none is.
    package var window = 86_400
    /// Jobs in the queue, at most; 0: no limit.
    package var maxDepth = 0
    /// Replicas that must acknowledge a job before it counts as queued; 0: none.
    package var waitReplicas = 0
    /// How long they have, in milliseconds.
    package var waitMilliseconds = 0

    package init(queue: String) { self.queue = queue }

    /// Bytes of commands without a reply, at most: memory must not depend on how long tickets are.
    package static let pendingBytesLimit = 33_554_432

    /// How often one push is let through while Redis refuses writes.
    static let refusalProbe = Nanoseconds.milliseconds(800)
    /// How often one push, or one WAIT, is let through while only an operator can help.
    static let misconfiguredProbe = Nanoseconds.seconds(3)
    /// How long a push that was answered "not now" waits: up to the base, doubled with every such answer, up to the limit.
    static let busyBase = Nanoseconds.milliseconds(50)
    static let busyLimit = Nanoseconds.milliseconds(800)
    /// The same for attempts to connect once the breaker is open; Redis is found again within the limit.
    static let dialBase = Nanoseconds.milliseconds(100)
    static let dialLimit = Nanoseconds.milliseconds(800)
    /// Between two dials, at least, even where the first succeeded: a server that hangs up on everybody must not be
    /// dialled over and over.
    static let dialInterval = Nanoseconds.milliseconds(100)
    /// How often a full queue is asked for its length.
    static let lengthInterval = Nanoseconds.milliseconds(250)
}
