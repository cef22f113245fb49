/// What a connection's bytes came to.
package enum Arrival: Equatable {
    case nothing
    /// A request was taken; it wants an answer, or to be dropped.
    case request(bodyLength: Int)
    /// A request was taken whose body is over the limit and was not kept; it wants an answer.
    case tooLong(bodyLength: Int)
    case dropped(DropReason)
}

/// Why a connection was closed with a request on it unanswered.
package enum DropReason: Equatable {
    case fault(ProtocolFault)
    /// The peer closed before its request was whole.
    case incomplete
    /// The request was not whole within the deadline.
    case timedOut
    /// The body is not as long as its Content-Length says.
    case lengthMismatch
    /// As many requests as may be are being assembled, or the system has no memory or descriptor for one more.
    case assemblyFull
}

/// What became of an answer.
package enum AnswerDelivery: Equatable {
    case delivered
    /// Delivered, and the next request may be there already: edge-triggered events will not tell of it again.
    case deliveredWithMoreToRead
    /// The peer has gone, or does not read. The connection is closed.
    case undelivered
}
