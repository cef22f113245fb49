import Bytes

/// HTTP Basic authentication (RFC 7617), for a sender that cannot sign.
package struct BasicMode: KeyMode {
    package static let name = "basic"
    package static let members: Set<ModeParameters.Member> = [.user, .plaintext, .sha256]
    package static let required = [ModeParameters.Member.user]
    package static let signsBody = false
    package static let needsEncryption = true
    private static let scheme = Array("basic ".utf8)
    /// Bytes of a user's name, at most.
    package static let userLimit = 255

    private let header: Int

    package init(_ parameters: ModeParameters, headers: inout HeaderNames, faults: inout [ModeFault]) {
        header = headers.add("Authorization")
    }

    package func credential(in headers: CredentialHeaders, at now: Int) -> Credential {
        guard let value = headers.value(of: header),
            value.prefix(BasicMode.scheme.count).elementsEqual(BasicMode.scheme, by: { $0.lowercased == $1 })
        else { return .absent }
        guard let pair = base64Decoded(value.dropFirst(BasicMode.scheme.count).drop { $0 == .space }),
            let colon = pair.firstIndex(of: UInt8(ascii: ":"))
        else { return .malformed }
        let (user, password) = (pair[..<colon], Array(pair[(colon + 1)...]))
        guard BasicMode.isUser(user), TokenMode.isToken(password) else { return .malformed }
        return .token(BasicMode.digest(user: user, password: Webhook.digest(of: password.span)))
    }

    package func headers(
        signing body: [UInt8], as message: OutgoingMessage, with key: HeldKey
    ) throws(ModeFault) -> [HeaderField] {
        let pair = (key.secret.user ?? []) + [UInt8(ascii: ":")] + (try Self.text(of: key))
        return [HeaderField("Authorization", Array("Basic ".utf8) + base64Encoded(pair))]
    }

    /// The digest of the user's name, a colon, and the password's digest.
    private static func digest(user: some Sequence<UInt8>, password: Tag) -> Tag {
        var pair = Array(user)
        pair.append(UInt8(ascii: ":"))
        pair.append(password.span)
        return Webhook.digest(of: pair.span)
    }

    private static func isUser(_ text: some Collection<UInt8>) -> Bool {
        (1...userLimit).contains(text.count) && text.allSatisfy { !$0.isControl && $0 != UInt8(ascii: ":") }
    }

    package static func material(of secret: KeySecret) throws(ModeFault) -> KeyMaterial {
        guard let user = secret.user, isUser(user) else {
            throw ModeFault(
                member: .user, text: "expected 1 to \(userLimit) bytes without control characters and colons")
        }
        let password = try TokenMode.digest(of: secret)
        return KeyMaterial(digest: digest(user: user, password: password), fingerprint: password)
    }
}
