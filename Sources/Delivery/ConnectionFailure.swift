package import RESP

/// Why a connection to Redis could not be made, or was lost.
package enum ConnectionFailure: Error, Equatable, Sendable {
    // Making it.
    case unusablePath(String)
    case noResources
    case unresolved(Endpoint)
    case lookUpTimedOut(Endpoint)
    case connect(Int32)
    case connectTimedOut
    case greetingTimedOut
    case greetingRefused(ErrorReply, word: String)
    case noSuchDatabase(Int)
    case unexpectedGreeting
    /// Connected, and nothing came of the TLS handshake.
    case handshakeTimedOut
    /// The server closed the connection in the TLS handshake.
    case closedInHandshake
    case tls(TLSFailure)
    /// The server answered a connection without TLS with a TLS alert.
    case expectsTLS
    /// The server closed the connection before it had sent anything.
    case closedUnanswered
    // Using it.
    case closedByRedis
    case receive(Int32)
    case send
    case replyTimedOut
    case invalidRESP(ReplyFault)
    case replyTooLong
    case unrequestedReply
    case unexpectedReply
    case refused(ErrorReply, word: String)
    /// A system call failed: its name and what it said.
    case system(String)

    /// Whether Redis was reached, and only takes no commands yet.
    var isBusy: Bool { if case .greetingRefused(.busy, _) = self { true } else { false } }
}

/// What a failure to connect says, and of which server where that is not the configured one.
package struct DialFailure: Equatable, Sendable {
    package let cause: ConnectionFailure
    package let redirectedTo: Endpoint?
}
