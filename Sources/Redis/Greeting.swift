import Bytes
import RESP

/// What a new connection says before it carries jobs. Each is answered first.
enum Greeting: Equatable {
    case authenticate, select, setName, ping

    /// Appends the commands for an address, and returns what they are.
    static func append(for address: Address, to output: inout [UInt8]) -> [Greeting] {
        var steps: [Greeting] = []
        if let password = address.password {
            if let user = address.user {
                output.append(command: "AUTH", user, password)
            } else {
                output.append(command: "AUTH", password)
            }
            steps.append(.authenticate)
        }
        if address.database != 0 {
            output.append(command: "SELECT", String(address.database))
            steps.append(.select)
        }
        output.append(command: "CLIENT", "SETNAME", "servicedesk-responder")
        output.append(command: "PING")
        return steps + [.setName, .ping]
    }

    /// Why a reply to this command means that the connection cannot carry jobs; nil where it can.
    func objection(to reply: Reply, from address: Address) -> String? {
        guard case .error(let text) = reply else {
            if case .simple = reply { return nil }
            return "Redis sent a reply of a type that the greeting cannot have"
        }
        let error = ErrorReply(text.span)
        let word = ErrorReply.word(of: text.span)
        switch self {
        case .select where word == "ERR":
            return "Redis answered ERR: it has no database \(address.database), which SERVICEDESK_REDIS_URL names"
        case .authenticate, .select: return "Redis answered \(word): \(error.advice)"
        case .setName where error == .misconfigured && word == "ERR":
            // A proxy or a hardened Redis may not know CLIENT: then the connection has no name.
            return nil
        case .setName, .ping:
            // A user without the right to CLIENT or PING may still push.
            return word == "NOPERM" ? nil : "Redis answered \(word): \(error.advice)"
        }
    }
}
