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
    /// The peer closed before its request was whole, or as soon as it was.
    case incomplete
    /// The request was not whole within the deadline.
    case timedOut
    /// The body is not as long as its Content-Length says.
    case lengthMismatch
    /// As many requests as may be are being assembled.
    case assemblyFull
    /// The system has no memory or descriptor for it.
    case outOfResources
    /// libfcgi found something else in it than the scanner did.
    case unreadable
    /// The peer asked for values and did not read the reply.
    case replyNotRead
}
