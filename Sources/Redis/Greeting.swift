import Bytes
import Delivery
import RESP

/// What a new connection says before it carries jobs. Each is answered first.
enum Greeting: Equatable {
    case authenticate, select, setName, ping

    /// The name of the connection in CLIENT LIST.
    static let clientName = "servicedesk-responder"

    /// Appends the commands for an address, and returns what they are.
    static func append(
        for address: Address, namesItself: Bool, to output: inout [UInt8]
    ) -> [Greeting] {
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
        if namesItself {
            output.append(command: "CLIENT", "SETNAME", clientName)
            steps.append(.setName)
        }
        output.append(command: "PING")
        return steps + [.ping]
    }

    /// Why a reply to this command means that the connection cannot carry jobs; nil where it can.
    func objection(to reply: Reply, from address: Address) -> ConnectionFailure? {
        guard case .error(let text) = reply else {
            if case .simple = reply { return nil }
            return .unexpectedGreeting
        }
        let error = ErrorReply(text.span)
        let word = ErrorReply.word(of: text.span)
        switch self {
        case .select where error == .misconfigured && word == "ERR": return .noSuchDatabase(address.database)
        case .authenticate, .select: return .greetingRefused(error, word: word)
        // A proxy or a hardened Redis may not know CLIENT: then the connection has no name.
        case .setName where error == .misconfigured && word == "ERR": return nil
        // A user without the right to CLIENT or PING may still push.
        case .setName, .ping: return word == "NOPERM" ? nil : .greetingRefused(error, word: word)
        }
    }
}
