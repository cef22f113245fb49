import Bytes

/// What an error reply asks for. Every one says that the command was not executed.
package enum ErrorReply: Equatable, Sendable {
    /// LOADING, BUSY, TRYAGAIN, MASTERDOWN, CLUSTERDOWN: the same again, a little later.
    case tryAgain
    /// READONLY: this was the primary. Look the address up again.
    case notPrimary
    /// MOVED, ASK: another node of the cluster has the key. Followed once.
    case elsewhere
    /// NOREPLICAS: fewer replicas than `min-replicas-to-write`.
    case tooFewReplicas
    /// OOM, MISCONF: Redis takes nothing at the moment.
    case takesNothing
    /// NOAUTH: log in again.
    case notAuthenticated
    /// The connection was one too many.
    case tooManyClients
    /// NOSCRIPT: send the script itself.
    case unknownScript
    /// We sent something that is no RESP.
    case protocolError
    /// DENIED: protected mode, in which Redis serves loopback addresses only.
    case protectedMode
    /// WRONGPASS, NOPERM, WRONGTYPE, CROSSSLOT, NOPROTO, any other ERR: an operator must change something.
    case misconfigured

    /// Decides by the first word; only where that is `ERR` by what follows.
    package init(_ reply: Span<UInt8>) {
        let word = ErrorReply.word(of: reply)
        switch word {
        case "LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN", "CLUSTERDOWN": self = .tryAgain
        case "READONLY": self = .notPrimary
        case "MOVED", "ASK": self = .elsewhere
        case "NOREPLICAS": self = .tooFewReplicas
        case "OOM", "MISCONF": self = .takesNothing
        case "NOAUTH": self = .notAuthenticated
        case "NOSCRIPT": self = .unknownScript
        case "DENIED": self = .protectedMode
        case "ERR" where reply.hasPrefix("ERR max number of clients reached"): self = .tooManyClients
        case "ERR" where reply.hasPrefix("ERR Protocol error"): self = .protocolError
        default: self = .misconfigured
        }
    }

    /// The first word, all of an error reply that may be repeated: what follows can quote the command, and so the ticket.
    ///
    /// At most 32 capital letters, or `unnamed`.
    package static func word(of reply: Span<UInt8>) -> String {
        var word = ""
        for index in reply.indices {
            let byte = reply[index]
            if byte == 0x20 { break }
            guard byte &- 0x41 < 26 || byte.isDigit, word.utf8.count < 32 else { return "unnamed" }
            word.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return word.isEmpty ? "unnamed" : word
    }

    /// What the operator is to do about it.
    package var advice: String {
        switch self {
        case .tryAgain: "Redis is busy or loading; pushes are tried again"
        case .notPrimary: "this Redis is a replica; point SERVICEDESK_REDIS_URL at the primary"
        case .elsewhere: "a node of a cluster sends the queue on; point SERVICEDESK_REDIS_URL at the node that has it"
        case .tooFewReplicas: "fewer replicas are connected than min-replicas-to-write asks for"
        case .takesNothing: "Redis refuses writes: look at its memory limit and its disk"
        case .notAuthenticated: "Redis asks for a password; put it into SERVICEDESK_REDIS_URL"
        case .tooManyClients: "Redis has reached maxclients"
        case .unknownScript: "Redis has forgotten the script; it is sent again"
        case .protocolError: "Redis could not read a command; please report this"
        case .protectedMode: "Redis is in protected mode: set a password for it, or have it listen on loopback only"
        case .misconfigured: "Redis refuses the command: look at the user's rights, the password and the key's type"
        }
    }
}
