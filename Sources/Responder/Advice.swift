import Delivery

// What an operator can do about a failure with this program's settings.

extension ErrorReply {
    /// What the reply means, and what to do about it.
    var advice: String {
        switch self {
        case .notPrimary: "\(explanation): point SERVICEDESK_REDIS_URL at the primary"
        case .elsewhere: "\(explanation): point SERVICEDESK_REDIS_URL at the node that does"
        case .askingRefused: "\(explanation): the user needs the right +asking"
        case .notAuthenticated: "\(explanation): set it in SERVICEDESK_REDIS_URL"
        default: explanation
        }
    }
}

extension ConnectionFailure {
    var advice: String {
        switch self {
        case .connectTimedOut: "not connected within SERVICEDESK_REDIS_CONNECT_TIMEOUT"
        case .greetingRefused(let error, let word), .refused(let error, let word):
            "Redis answered \(word): \(error.advice)"
        case .noSuchDatabase: "\(self): change it in SERVICEDESK_REDIS_URL"
        default: description
        }
    }
}

extension DialFailure {
    var advice: String { redirectedTo.map { "\($0): \(cause.advice)" } ?? cause.advice }
}

extension BreakerCause {
    var advice: String {
        switch self {
        case .unreachable(let failure): failure.advice
        case .refused(let error, let word): "Redis answered \(word): \(error.advice)"
        case .waitRefused(let word):
            "Redis answered \(word) to WAIT: the user needs the right +wait while SERVICEDESK_REDIS_WAIT is set"
        }
    }
}

extension PushFailure {
    /// For the request's line in the log.
    var advice: String {
        switch self {
        case .notConnected: "Redis cannot be reached"
        case .timedOut: "the deadline passed before Redis could be reached"
        case .ambiguous: "no reply from Redis: the job may be queued"
        case .refused(let error, let word): "Redis answered \(word): \(error.advice)"
        case .notReplicated(let acknowledged): "too few replicas acknowledged the job in time: \(acknowledged)"
        case .notConfirmed(let word): "Redis answered \(word) to WAIT: the job is queued, but may not be replicated"
        case .foreignValue: "the idempotency key of this delivery holds a value that this program did not write"
        }
    }
}
