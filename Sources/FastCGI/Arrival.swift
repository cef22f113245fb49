/// The result of an event on a connection.
package enum Arrival: Equatable {
    case nothing
    /// A request was taken: answer it, or abandon it.
    case request(bodyLength: Int)
    /// A request was taken whose body is over the limit and was not kept: answer it.
    case tooLong(bodyLength: Int)
    case dropped(DropReason)
}

/// Why a connection was closed before its request was answered.
package enum DropReason: Equatable {
    case fault(ProtocolFault)
    /// The peer closed before its request was whole, or as soon as it was.
    case incomplete
    /// The request was not whole within the deadline.
    case timedOut
    /// The length of the body is not its Content-Length.
    case lengthMismatch
    /// As many requests as the budget allows are being assembled.
    case assemblyFull
    /// The system has no memory or descriptor for it.
    case outOfResources
    /// libfcgi did not read what the scanner had found.
    case unreadable
    /// The peer asked for values and did not read the reply.
    case replyNotRead
}
