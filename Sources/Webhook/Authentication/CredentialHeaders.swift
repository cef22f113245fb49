import Bytes

/// The headers in which credentials are looked for, by the names that FastCGI gives them (RFC 3875, section 4.1.18).
package struct HeaderNames: Equatable, Sendable {
    /// Bytes of a header's name, at most.
    package static let limit = 50

    private var names: [[UInt8]] = []
    /// A bit for each length that a name has: most variables need no other look.
    private var lengths: UInt64 = 0

    package init() {}

    /// The number of a header, which is added if it is new.
    ///
    /// - Parameter header: its name in HTTP, which `isHeaderName` accepts.
    mutating func add(_ header: String) -> Int {
        let name = HeaderNames.variable(of: header)
        if let index = names.firstIndex(of: name) { return index }
        names.append(name)
        lengths |= 1 << UInt64(name.count)
        return names.count - 1
    }

    /// The number of the header that a variable holds; nil if no credential is in it.
    @inline(__always) func index(of variable: Span<UInt8>) -> Int? {
        lengths &>> UInt64(truncatingIfNeeded: variable.count) & 1 == 1 ? firstIndex(of: variable) : nil
    }

    private func firstIndex(of variable: Span<UInt8>) -> Int? {
        for index in names.indices {
            let name = names[index]
            if name.span.equals(variable) { return index }
        }
        return nil
    }

    /// The CGI variable of a header: `HTTP_X_SERVICEDESK_SIGNATURE` of `X-ServiceDesk-Signature`.
    package static func variable(of header: String) -> [UInt8] {
        var name = Array("HTTP_".utf8)
        for byte in header.utf8 {
            name.append(byte == UInt8(ascii: "-") ? UInt8(ascii: "_") : byte.isLowercaseLetter ? byte ^ .caseBit : byte)
        }
        return name
    }

    /// The variables that nginx/servicedesk/pass.conf passes. A test compares them.
    package static let passed: Set<String> = [
        "HTTP_X_SERVICEDESK_SIGNATURE", "HTTP_AUTHORIZATION", "HTTP_WEBHOOK_ID", "HTTP_WEBHOOK_TIMESTAMP",
        "HTTP_WEBHOOK_SIGNATURE", "HTTP_X_HUB_SIGNATURE", "HTTP_X_HUB_SIGNATURE_256", "HTTP_X_GLPI_SIGNATURE",
        "HTTP_X_GLPI_TIMESTAMP", "HTTP_X_WEBHOOK_SECRET", "HTTP_X_ZENDESK_WEBHOOK_SIGNATURE",
        "HTTP_X_ZENDESK_WEBHOOK_SIGNATURE_TIMESTAMP",
    ]

    /// What pass.conf lacks: a line for each header that is not among those.
    package var missingLines: [String] {
        names.map { String(decoding: $0, as: UTF8.self) }.filter { !HeaderNames.passed.contains($0) }.map {
            "fastcgi_param \($0) $\($0.lowercased()) if_not_empty;"
        }
    }

    /// Whether text is the name of a header that web servers pass on: 1 to 50 letters, digits and `-`. nginx drops headers
    /// with an underscore.
    static func isHeaderName(_ text: String) -> Bool {
        (1...limit).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                $0.isLowercaseLetter || $0.isUppercaseLetter || $0.isDigit || $0 == UInt8(ascii: "-")
            }
    }
}

/// What of a request its credential may be in: the headers for credentials, and whether they came over TLS.
package struct CredentialHeaders {
    /// Bytes of a value that are kept. No credential is that long: one that was cut is malformed.
    private static let valueLimit = 2048

    private var bytes: [UInt8] = []
    private var values: [(header: Int, range: Range<Int>)] = []
    /// Whether the web server says that the request came over TLS.
    package var isEncrypted = false

    package init() {}

    package mutating func reset() {
        bytes.clear()
        values.clear()
        isEncrypted = false
    }

    /// Takes a CGI variable if it is one of the headers. An empty value is none; of two, the last is used.
    @inline(__always)
    package mutating func take(_ variable: Span<UInt8>, _ value: Span<UInt8>, headers: HeaderNames) {
        if let header = headers.index(of: variable) { take(value, of: header) }
    }

    private mutating func take(_ value: Span<UInt8>, of header: Int) {
        let value = value.extracting(value.trimmedRange).extracting(first: CredentialHeaders.valueLimit)
        for index in values.indices where values[index].header == header {
            values.remove(at: index)
            break
        }
        guard !value.isEmpty else { return }
        values.append((header, bytes.count..<bytes.count + value.count))
        bytes.append(value)
    }

    /// Calls `body` with the value of a header; returns nil if the request has none.
    func withValue<Result>(of header: Int, _ body: (Span<UInt8>) -> Result) -> Result? {
        for value in values where value.header == header {
            let bytes = bytes
            return body(bytes.span.extracting(value.range))
        }
        return nil
    }

    /// A copy of the value of a header; nil if the request has none.
    func value(of header: Int) -> [UInt8]? { withValue(of: header) { Array(copying: $0) } }
}
