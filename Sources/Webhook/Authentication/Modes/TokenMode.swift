import Bytes

/// A fixed token in a header, for a sender that cannot sign: `Authorization: Bearer …`, or a header of its own.
package struct TokenMode: KeyMode {
    package static let name = "token"
    package static let members: Set<ModeParameters.Member> = [.header, .prefix, .plaintext, .sha256]
    package static let signsBody = false
    package static let needsEncryption = true
    package static let defaultHeader = "Authorization"
    /// Bytes of a token.
    package static let lengths = Secrets.minimumLength...1024

    private let header: Int
    /// A scheme of HTTP authentication is the same in either case (RFC 9110, section 11.1).
    private let prefix: [UInt8]

    package init(_ parameters: ModeParameters, headers: inout HeaderNames, faults: inout [ModeFault]) {
        header = parameters.addHeader(.header, default: TokenMode.defaultHeader, to: &headers, &faults)
        let isAuthorization = parameters.texts[.header].map { $0.lowercased() == "authorization" } ?? true
        let prefix =
            parameters.texts[.prefix] == nil && isAuthorization
            ? Array("bearer ".utf8) : parameters.bytes(.prefix, limit: HMACMode.textLimit, &faults)
        self.prefix = prefix.map(\.lowercased)
    }

    package func credential(in headers: CredentialHeaders, at now: Int) -> Credential {
        guard let value = headers.value(of: header),
            value.prefix(prefix.count).elementsEqual(prefix, by: { $0.lowercased == $1 })
        else { return .absent }
        // After a scheme of HTTP authentication there may be several spaces (RFC 9110, section 11.4).
        let token = Array(value.dropFirst(prefix.count).drop { prefix.last == .space && $0 == .space })
        return TokenMode.isToken(token) ? .token(Webhook.digest(of: token.span)) : .malformed
    }

    package func headers(
        signing body: [UInt8], as message: OutgoingMessage, with key: HeldKey
    ) throws(ModeFault) -> [HeaderField] {
        let header = key.parameters.texts[.header] ?? TokenMode.defaultHeader
        let isBearer = key.parameters.texts[.prefix] == nil && header.lowercased() == "authorization"
        let prefix = isBearer ? Array("Bearer ".utf8) : Array((key.parameters.texts[.prefix] ?? "").utf8)
        return [HeaderField(header, prefix + (try Self.text(of: key)))]
    }

    static func isToken(_ text: [UInt8]) -> Bool { lengths.contains(text.count) && text.allSatisfy(\.isVisibleASCII) }

    package static func material(of secret: KeySecret) throws(ModeFault) -> KeyMaterial {
        let digest = try digest(of: secret)
        return KeyMaterial(digest: digest, fingerprint: digest)
    }

    /// The digest of a token or a password, from itself or from the file.
    static func digest(of secret: KeySecret) throws(ModeFault) -> Tag {
        switch (secret.text, secret.digest) {
        case (let text?, nil):
            guard isToken(text) else {
                throw ModeFault(
                    member: .secret,
                    text: "expected \(lengths.lowerBound) to \(lengths.upperBound) visible ASCII characters")
            }
            return Webhook.digest(of: text.span)
        case (nil, let digits?):
            guard let digest = Tag(hexadecimal: digits.span) else {
                throw ModeFault(member: .sha256, text: "expected 64 hexadecimal digits")
            }
            return digest
        case (nil, nil): throw ModeFault(member: .secret, text: "expected secret, secret_file or sha256")
        case (_?, _?): throw ModeFault(member: .sha256, text: "has a secret beside it: keep only one")
        }
    }
}
