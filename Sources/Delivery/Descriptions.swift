import RESP
import System

// What is logged of Redis' errors and of failures, in words. What an operator can do about them with the program's settings
// the program adds.

extension ErrorReply {
    /// What the reply means, for an operator.
    package var explanation: String {
        switch self {
        case .busy: "Redis is busy or loading; pushes are tried again"
        case .notPrimary: "this Redis is a replica"
        case .elsewhere: "another node of the cluster has the queue"
        case .tooFewReplicas: "fewer replicas are connected than min-replicas-to-write asks for"
        case .writesRefused: "Redis refuses writes: look at its memory limit and its disk"
        case .notAuthenticated: "Redis asks for a password"
        case .tooManyClients: "Redis has reached maxclients"
        case .unknownScript: "Redis has forgotten the script; it is sent again"
        case .protocolError: "Redis could not read a command; please report this"
        case .protectedMode: "Redis is in protected mode: set a password for it, or have it listen on loopback only"
        case .misconfigured: "Redis refuses the command: look at the user's rights, the password and the key's type"
        }
    }
}

extension ConnectionFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unusablePath(let path): "\(path) cannot be the path of a socket"
        case .noResources: "no thread or descriptor for a name look-up"
        case .unresolved(let endpoint): "the name of \(endpoint) cannot be resolved"
        case .lookUpTimedOut(let endpoint): "the name of \(endpoint) is not resolved in time"
        case .connect(let code): "connect: \(SystemError.text(code))"
        case .connectTimedOut: "no connection in time"
        case .greetingTimedOut: "Redis did not answer the greeting in time"
        case .greetingRefused(let error, let word), .refused(let error, let word):
            "Redis answered \(word): \(error.explanation)"
        case .noSuchDatabase(let number): "Redis answered ERR: it has no database \(number)"
        case .unexpectedGreeting: "Redis sent a reply of a type that the greeting cannot have"
        case .closedByRedis: "Redis closed the connection"
        case .receive(let code): "recv: \(SystemError.text(code))"
        case .send: "the connection broke while sending"
        case .replyTimedOut: "Redis did not answer in time"
        case .invalidRESP(let fault): "invalid RESP from Redis (\(fault.rawValue))"
        case .replyTooLong: "Redis sent a reply that is too long"
        case .unrequestedReply: "Redis sent a reply nobody asked for"
        case .unexpectedReply: "Redis sent a reply of a type that the command cannot have"
        case .system(let text): text
        }
    }
}
