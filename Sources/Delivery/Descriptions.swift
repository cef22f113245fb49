import RESP
import System

// Redis' errors and failures in words, for the log. The program adds what an operator can do about them with its settings.

extension ErrorReply {
    /// What the reply means, for an operator.
    package var explanation: String {
        switch self {
        case .busy: "Redis is busy or loading; pushes are retried"
        case .notPrimary: "this Redis is a replica"
        case .elsewhere: "this node does not have the queue"
        case .askingRefused: "Redis refuses ASKING, without which a node does not take the queue while it moves there"
        case .waitInterrupted: "Redis ended WAIT early: its role has changed, or somebody used CLIENT UNBLOCK"
        case .tooFewReplicas: "fewer replicas are connected than min-replicas-to-write requires"
        case .writesRefused: "Redis refuses writes: check its memory limit and its disk"
        case .notAuthenticated: "Redis requires a password"
        case .tooManyClients: "Redis has reached maxclients"
        case .unknownScript: "Redis does not have the script; it is sent again"
        case .protocolError: "Redis could not parse a command; please report this"
        case .protectedMode: "Redis is in protected mode: set a password for it, or have it listen on loopback only"
        case .misconfigured: "Redis refuses the command: check the user's rights, the password and the key's type"
        }
    }
}

extension ConnectionFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unusablePath(let path): "\(path) is not a valid socket path"
        case .noResources: "cannot start a look-up: no thread or descriptor is available"
        case .unresolved(let endpoint): "the host of \(endpoint) cannot be resolved"
        case .lookUpTimedOut(let endpoint): "the host of \(endpoint) was not resolved in time"
        case .connect(let code): "connect: \(SystemError.text(code))"
        case .connectTimedOut: "not connected in time"
        case .greetingTimedOut: "no reply from Redis to the greeting in time"
        case .greetingRefused(let error, let word), .refused(let error, let word):
            "Redis answered \(word): \(error.explanation)"
        case .noSuchDatabase(let number): "Redis has no database \(number)"
        case .unexpectedGreeting: "unexpected type of reply to the greeting"
        case .handshakeTimedOut:
            "connected, but no TLS handshake in time: perhaps the server does not speak TLS on this port"
        case .closedInHandshake:
            "Redis closed the connection in the TLS handshake: perhaps it has as many clients as its maxclients allows"
        case .tls(let failure): "\(failure)"
        case .expectsTLS: "the server speaks TLS on this port: use rediss:// in place of redis://"
        case .closedUnanswered:
            "the server closed the connection without an answer: if it expects TLS, use rediss:// in place of redis://"
        case .closedByRedis: "Redis closed the connection"
        case .receive(let code): "recv: \(SystemError.text(code))"
        case .send: "the connection broke while sending"
        case .replyTimedOut: "no reply from Redis in time"
        case .invalidRESP(let fault): "invalid RESP from Redis (\(fault.rawValue))"
        case .replyTooLong: "reply from Redis too long"
        case .unrequestedReply: "reply from Redis that nobody asked for"
        case .unexpectedReply: "unexpected type of reply from Redis"
        case .system(let text): text
        }
    }
}
