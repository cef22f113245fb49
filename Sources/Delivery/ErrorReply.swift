import Bytes
import System

/// What an error reply means. Each says that Redis did not execute the command.
package enum ErrorReply: Equatable, Sendable, CaseIterable {
    /// Redis is loading its data, runs a long script, or moves a slot.
    case busy
    /// A replica, which takes no writes.
    case notPrimary
    /// Another node of the cluster has the key.
    case elsewhere
    /// The same, of a push whose ASKING was refused.
    case askingRefused
    /// Fewer replicas are connected than `min-replicas-to-write` asks for.
    case tooFewReplicas
    /// Redis ended a WAIT early.
    case waitInterrupted
    /// No memory, or no disk: Redis refuses writes at the moment.
    case writesRefused
    case notAuthenticated
    case tooManyClients
    /// Redis does not have the script that EVALSHA names.
    case unknownScript
    /// Redis could not parse a command.
    case protocolError
    /// Protected mode, in which Redis serves loopback addresses only.
    case protectedMode
    /// An operator must change something: a right, a password, the type of a key.
    case misconfigured

    /// What is done about it.
    enum Remedy: Equatable {
        /// The same connection again, after a delay, at most so many times.
        case repeatHere(limit: Int)
        /// Another connection, from a new look-up of the address; as often as connections may fail.
        case reconnect
        /// The same connection at once, with the script itself.
        case sendScript
        /// The node that the reply names, once.
        case redirect
        /// Nothing: the push fails.
        case fail
        /// Nothing, and the connection is closed: what Redis makes of the bytes after it is unknown.
        case failAndClose
    }

    var remedy: Remedy {
        switch self {
        case .busy: .repeatHere(limit: .max)
        case .tooFewReplicas, .waitInterrupted: .repeatHere(limit: 1)
        case .notPrimary, .notAuthenticated, .tooManyClients: .reconnect
        case .unknownScript: .sendScript
        case .elsewhere: .redirect
        case .writesRefused, .protectedMode, .askingRefused, .misconfigured: .fail
        case .protocolError: .failAndClose
        }
    }

    /// Whether a push that fails over it keeps others from being sent. The rest passes by itself.
    var opensBreaker: Bool {
        if case .repeatHere = remedy { false } else { true }
    }

    /// How soon after it another push is let through: later where only an operator can help.
    var probeInterval: Nanoseconds {
        switch self {
        case .misconfigured, .askingRefused, .protectedMode, .unknownScript, .elsewhere:
            DeliveryPolicy.misconfiguredProbe
        default: DeliveryPolicy.refusalProbe
        }
    }

    /// Whether the refusal says something about this kind of command alone: that the user may not run EVAL says nothing
    /// about LPUSH.
    var concernsOneCommand: Bool { self == .misconfigured || self == .unknownScript }

    /// How error replies begin and what they mean, in the order in which they are tried. The words are those of Redis'
    /// source (server.c, cluster.c, acl.c, script.c, blocked.c, networking.c, replication.c) and of its Cluster Specification.
    private static let table: [(beginning: StaticString, meaning: ErrorReply)] = [
        ("LOADING", .busy),
        ("BUSY", .busy),
        ("TRYAGAIN", .busy),
        ("MASTERDOWN", .busy),
        ("CLUSTERDOWN", .busy),
        ("READONLY", .notPrimary),
        ("ERR WAIT cannot be used with", .notPrimary),
        ("MOVED", .elsewhere),
        ("ASK", .elsewhere),
        ("NOREPLICAS", .tooFewReplicas),
        ("UNBLOCKED", .waitInterrupted),
        ("OOM", .writesRefused),
        ("MISCONF", .writesRefused),
        ("NOAUTH", .notAuthenticated),
        ("ERR max number of clients reached", .tooManyClients),
        ("NOSCRIPT", .unknownScript),
        ("ERR Protocol error", .protocolError),
        ("DENIED", .protectedMode),
        // WRONGPASS, NOPERM, WRONGTYPE, CROSSSLOT, NOPROTO and every other: misconfigured.
    ]

    package init(_ reply: Span<UInt8>) {
        let cause = ErrorReply.cause(of: reply)
        let text = reply.extracting(cause..<reply.count)
        for row in ErrorReply.table where text.begins(with: row.beginning) {
            self = row.meaning
            return
        }
        self = .misconfigured
    }

    /// The first word of an error reply, all of it that may be logged: what follows can quote the command, and so the
    /// ticket. At most 32 capital letters and digits, or `unnamed`.
    package static func word(of reply: Span<UInt8>) -> String {
        if isDeniedInScript(reply) { return "NOPERM" }
        var word = ""
        for index in cause(of: reply)..<reply.count {
            let byte = reply[index]
            if byte == UInt8(ascii: " ") { break }
            guard byte.isCapitalLetter || byte.isDigit, word.utf8.count < 32 else { return "unnamed" }
            word.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return word.isEmpty ? "unnamed" : word
    }

    /// Whether a script lacked a right. Redis has no error word for that, only these texts: the first up to Redis 7.0, the
    /// second since 7.2 and in Valkey.
    private static func isDeniedInScript(_ reply: Span<UInt8>) -> Bool {
        guard reply.hasPrefix("ERR ") else { return false }
        return reply.indices.contains { index in
            let rest = reply.extracting(index..<reply.count)
            return rest.hasPrefix("The user executing the script can't ") || rest.hasPrefix("ACL failure in script: ")
        }
    }

    /// Where the error begins that a reply is about. Before Redis 7.0 an error inside a script arrives as
    /// `ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -READONLY …`.
    private static func cause(of reply: Span<UInt8>) -> Int {
        guard reply.hasPrefix("ERR Error running script") else { return 0 }
        let mark: StaticString = ": -"
        for index in reply.indices.dropLast(mark.utf8CodeUnitCount)
        where reply.extracting(index..<reply.count).hasPrefix(mark) {
            let start = index + mark.utf8CodeUnitCount
            // Text that only looks like it is not an error's name.
            return reply[start].isCapitalLetter ? start : 0
        }
        return 0
    }
}

extension UInt8 {
    fileprivate var isCapitalLetter: Bool { self &- UInt8(ascii: "A") < 26 }
}

extension Span<UInt8> {
    /// Whether the text begins with a row's words: with the whole of its first word, at least.
    fileprivate func begins(with words: StaticString) -> Bool {
        let length = words.utf8CodeUnitCount
        guard hasPrefix(words) else { return false }
        return count == length || self[length] == UInt8(ascii: " ") || hasPrefix("ERR ")
    }
}
