import Bytes

/// What a node of a Redis Cluster answers about a key that it does not have: `MOVED 3999 10.0.0.7:6381`, or `ASK …` while
/// the key's slot is on its way (Redis Cluster Specification, "Redirection and resharding").
package struct Redirection {
    /// Bytes of such an answer, at most.
    static let limit = 300

    /// The key is there for this once: `ASKING` has to go before each command, and nothing is to be remembered.
    package let asks: Bool
    /// nil: the host that answered.
    let host: String?
    let port: UInt16

    /// nil where it is neither, or names no node.
    package init?(_ reply: Span<UInt8>) {
        guard reply.count <= Redirection.limit,
            reply.indices.allSatisfy({ reply[$0].isVisibleASCII || reply[$0] == UInt8(ascii: " ") })
        else { return nil }
        let text = String(decoding: reply.indices.map { reply[$0] }, as: UTF8.self)
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[0] == "MOVED" || words[0] == "ASK", let colon = words[2].lastIndex(of: ":"),
            let slot = Redirection.number(words[1]), slot < 16_384,
            let port = Redirection.number(words[2][words[2].index(after: colon)...]), port > 0
        else { return nil }
        // A node that does not know its name yet calls itself "?".
        let host = words[2][..<colon]
        guard host != "?", host.utf8.count <= 255 else { return nil }
        asks = words[0] == "ASK"
        self.host = host.isEmpty ? nil : String(host)
        self.port = port
    }

    /// Where it leads to from the node that answered it; nil where that is a unix socket, and has no host.
    package func endpoint(from node: Endpoint) -> Endpoint? {
        if let host { return .tcp(host: host, port: port) }
        guard case .tcp(let host, _) = node else { return nil }
        return .tcp(host: host, port: port)
    }

    private static func number(_ digits: Substring) -> UInt16? {
        digits.utf8.allSatisfy(\.isDigit) ? UInt16(digits) : nil
    }
}
