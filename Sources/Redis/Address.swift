import Bytes
package import Delivery
import System

/// What is wrong with a URL. It never repeats the URL, which may hold a password.
package struct AddressFault: Error, CustomStringConvertible {
    package let description: String
}

/// Where Redis is, and as whom to speak to it: `redis://user:password@host:port/db`, `rediss://…` with TLS, or
/// `unix:///path?db=0`.
package struct Address: Equatable, Sendable {
    package let endpoint: Endpoint
    package let database: Int
    package let user: String?
    package let password: String?
    /// The files of TLS; nil: without TLS.
    package let tls: TLSFiles?

    /// Another server, that is spoken to in the same way.
    init(_ endpoint: Endpoint, like other: Address) {
        self.init(endpoint, other.database, other.user, other.password, other.tls)
    }

    /// The same server, spoken to with another password.
    package func with(password: String) -> Address {
        Address(endpoint, database, user, password, tls)
    }

    /// The same server, with other files if it is spoken to over TLS.
    package func with(tls files: TLSFiles) -> Address {
        Address(endpoint, database, user, password, tls == nil ? nil : files)
    }

    /// Who the server must prove to be; nil without TLS.
    var tlsServer: TLSServer? {
        guard tls != nil, case .tcp(let host, let port) = endpoint else { return nil }
        // getaddrinfo(3) accepts other forms of an address than certificates have, such as 127.1.
        if let address = SocketAddress.resolve(host: host, port: port, isNumeric: true).first?.numericHost {
            return TLSServer(name: address, isAddress: true)
        }
        // TLS leaves out the full stop at the end of an absolute name (RFC 6066, section 3).
        return TLSServer(name: host.hasSuffix(".") ? String(host.dropLast()) : host, isAddress: false)
    }

    private init(
        _ endpoint: Endpoint, _ database: Int, _ user: String?, _ password: String?, _ tls: TLSFiles?
    ) {
        (self.endpoint, self.database, self.user, self.password) = (endpoint, database, user, password)
        self.tls = tls
    }

    /// Parses a URL.
    ///
    /// - Parameter password: one that is kept elsewhere; then the URL must have none.
    package init(_ url: String, password separate: String? = nil) throws(AddressFault) {
        let scheme: String
        var rest: Substring
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else {
            throw AddressFault(
                description: "is not a URL: expected redis://host:port/db, rediss://host:port/db or unix:///path?db=0")
        }
        scheme = url[..<colon].lowercased()
        rest = url[colon...].dropFirst(3)
        guard ["redis", "rediss", "unix"].contains(scheme) else {
            throw AddressFault(description: "has an unknown scheme: expected redis://, rediss:// (TLS) or unix://")
        }
        tls = scheme == "rediss" ? TLSFiles() : nil
        let credentials = try Address.takeCredentials(from: &rest)
        user = credentials?.user
        password = separate ?? credentials?.password
        if separate != nil && credentials?.password != nil {
            throw AddressFault(description: "has a password although there is a password file: set only one")
        }
        if credentials != nil && password == nil { throw AddressFault(description: "has a user without a password") }
        if scheme == "unix" {
            (endpoint, database) = try Address.parseUnix(rest)
        } else {
            (endpoint, database) = try Address.parseTCP(rest)
        }
    }

    /// Takes `user:password@` from before the host; nil if there is none. A password without a user is that of the default
    /// user.
    private static func takeCredentials(
        from rest: inout Substring
    ) throws(AddressFault) -> (user: String?, password: String?)? {
        let authority = rest.prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@") else { return nil }
        let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        rest = rest[rest.index(after: at)...]
        let user = try decode(parts[0])
        let password = parts.count == 2 && !parts[1].isEmpty ? try decode(parts[1]) : nil
        return (user.isEmpty ? nil : user, password)
    }

    private static func parseUnix(_ rest: Substring) throws(AddressFault) -> (Endpoint, Int) {
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = try decode(parts[0])
        guard path.hasPrefix("/"), !path.utf8.contains(0), SocketAddress(unixPath: path) != nil else {
            throw AddressFault(
                description: "has no absolute socket path of at most 107 bytes: expected unix:///path?db=0")
        }
        guard parts.count == 2 else { return (.unix(path: path), 0) }
        guard parts[1].hasPrefix("db=") else { throw AddressFault(description: "has a query other than ?db=") }
        return (.unix(path: path), try database(parts[1].dropFirst(3)))
    }

    private static func parseTCP(_ rest: Substring) throws(AddressFault) -> (Endpoint, Int) {
        guard !rest.contains(where: { $0 == "?" || $0 == "#" }) else {
            throw AddressFault(
                description: "has a query: expected the database in the path, as in redis://host:port/db")
        }
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let (host, port) = try hostAndPort(parts[0])
        let number = parts.count == 2 && !parts[1].isEmpty ? try database(parts[1]) : 0
        return (.tcp(host: host, port: port), number)
    }

    private static func hostAndPort(_ text: Substring) throws(AddressFault) -> (String, UInt16) {
        var host = text
        var port = Substring("6379")
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw AddressFault(description: "has an IPv6 address without ]")
            }
            host = text[text.index(after: text.startIndex)..<end]
            let tail = text[text.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":") else {
                throw AddressFault(description: "has characters between ] and :")
            }
            if !tail.isEmpty { port = tail.dropFirst() }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty, host.utf8.count <= 253 else {
            throw AddressFault(description: "has no host of 1 to 253 bytes")
        }
        guard let number = decimal(port), number > 0 else {
            throw AddressFault(description: "has a port that is not a number from 1 to 65535")
        }
        return (String(host), number)
    }

    private static func database(_ text: Substring) throws(AddressFault) -> Int {
        guard let number = decimal(text) else {
            throw AddressFault(description: "has a database that is not a number from 0 to 65535")
        }
        return Int(number)
    }

    /// A number of digits alone, without a sign.
    private static func decimal(_ text: Substring) -> UInt16? {
        Array(text.utf8).span.decimal.flatMap { UInt16(exactly: $0) }
    }

    /// Replaces `%` and two hexadecimal digits (RFC 3986, section 2.1).
    private static func decode(_ text: some StringProtocol) throws(AddressFault) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue else {
                throw AddressFault(description: "has a % that is not followed by two hexadecimal digits")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw AddressFault(description: "is not valid UTF-8")
        }
        return decoded
    }
}

extension Address: CustomStringConvertible {
    /// The place alone: no user, no password.
    package var description: String { "\(endpoint)" }
}
