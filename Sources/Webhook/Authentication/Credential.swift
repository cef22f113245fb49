import Bytes

/// What a request presents in the headers of one mode. Whether it is worth anything, the key decides.
package enum Credential {
    case absent
    case malformed
    case signature(PresentedSignature)
    /// The SHA-256 of something that only its holder knows.
    case token(Tag)
}

/// The tags that a request presents, and what one of them must sign.
package struct PresentedSignature {
    /// Tags that a request may present, at most.
    static let tagLimit = 16

    var tag: Tag
    /// What only some modes have. One reference: a signature is copied several times.
    var more: More?
    /// Whether the signed time is too far from now.
    var isStale = false

    final class More: Sendable {
        /// Further tags, while the sender's key is being rotated.
        let otherTags: [Tag]
        /// What is signed before and after the body.
        let before: [UInt8]
        let after: [UInt8]

        init(otherTags: [Tag] = [], before: [UInt8] = [], after: [UInt8] = []) {
            (self.otherTags, self.before, self.after) = (otherTags, before, after)
        }
    }

    /// Bytes that are signed beside the body.
    var extraBytes: Int { more.map { $0.before.count + $0.after.count } ?? 0 }

    /// Whether it is that of a body, under the key that an authenticator has. All its tags are compared.
    func isValid(for body: Span<UInt8>, by authenticator: Authenticator) -> Bool {
        guard let more else { return areEqual(tag, authenticator.tag(of: body)) }
        let right = authenticator.tag(of: more.before, body, more.after)
        var isEqual = areEqual(tag, right)
        for tag in more.otherTags where areEqual(tag, right) { isEqual = true }
        return isEqual
    }
}

/// A way in which a sender proves that it has a key. It sees the request's headers, and nothing else; of the key it is
/// known only what `material` makes of it.
///
/// A new mode is a type of its own and a line in `KeyModes.types`.
package protocol KeyMode: Sendable {
    /// What the tenants file and the log call it.
    static var name: String { get }
    /// The members of a key in the tenants file that it uses, beside those that every key has.
    static var members: Set<ModeParameters.Member> { get }
    /// Those of them that it cannot do without.
    static var required: [ModeParameters.Member] { get }
    /// Whether a valid credential proves that the body is whole and unchanged.
    static var signsBody: Bool { get }
    /// Whether it proves that `webhook-id` is the sender's.
    static var signsDeliveryID: Bool { get }
    /// Whether it reveals the key to whoever can read the request.
    static var needsEncryption: Bool { get }

    /// - Parameters:
    ///   - parameters: what the file says of it; a fault is added for each that cannot be used.
    ///   - headers: those that it looks at are added.
    init(_ parameters: ModeParameters, headers: inout HeaderNames, faults: inout [ModeFault])

    /// What a request presents.
    ///
    /// - Parameter now: seconds since 1970.
    func credential(in headers: CredentialHeaders, at now: Int) -> Credential

    /// The key itself, from the secret in the file.
    static func material(of secret: KeySecret) throws(ModeFault) -> KeyMaterial

    /// The opposite of `credential(in:)`: the headers with which the holder of a key sends a body. Throws if the file has
    /// only a digest of what is sent.
    func headers(signing body: [UInt8], as message: OutgoingMessage, with key: HeldKey) throws(ModeFault)
        -> [HeaderField]

    /// How it signs; nil if it does not.
    func form(_ parameters: ModeParameters) -> SignatureForm?
}

extension KeyMode {
    package func form(_ parameters: ModeParameters) -> SignatureForm? { nil }

    package static var members: Set<ModeParameters.Member> { [] }
    package static var required: [ModeParameters.Member] { [] }
    package static var signsBody: Bool { true }
    package static var signsDeliveryID: Bool { false }
    package static var needsEncryption: Bool { false }

    package static func material(of secret: KeySecret) throws(ModeFault) -> KeyMaterial {
        try KeyMaterial(signing: secret)
    }

    /// The HMAC of three texts in a row.
    static func tag(of before: [UInt8] = [], _ body: [UInt8], _ after: [UInt8] = [], with key: HeldKey) -> [UInt8] {
        let authenticator = Authenticator(key: key.material.bytes.span)
        let tag = authenticator.tag(of: before, body.span, after)
        return [UInt8](copying: tag.span)
    }

    /// What the holder of a key sends as it is.
    static func text(of key: HeldKey) throws(ModeFault) -> [UInt8] {
        guard let text = key.secret.text else {
            throw ModeFault(member: .sha256, text: "the file has only a digest of what is to be sent")
        }
        return text
    }
}

/// What is wrong with a member of a key in the tenants file.
package struct ModeFault: Error, Equatable {
    package let member: ModeParameters.Member
    package let text: String
}

/// How a key's mode is used: the members of a key that tell modes of the same name apart.
package struct ModeParameters: Hashable, Sendable {
    /// Members of a key in the tenants file, by their names there.
    package enum Member: String, CaseIterable, Sendable {
        case mode, secret, sha256, user, header, prefix, encoding, signed, separator
        case timestampHeader = "timestamp_header"
        case timestampFormat = "timestamp_format"
        case tolerance, plaintext
    }

    package var mode = ""
    package var texts: [Member: String] = [:]
    /// Seconds.
    package var tolerance: Int?
    /// Whether a credential that reveals the key is accepted without TLS.
    package var allowsPlaintext: Bool?

    /// Those that the file has.
    var given: Set<Member> {
        var given = Set(texts.keys)
        if tolerance != nil { given.insert(.tolerance) }
        if allowsPlaintext != nil { given.insert(.plaintext) }
        return given
    }
}

/// The secret of a key as the tenants file has it.
package struct KeySecret {
    /// In the file itself, or in a file of its own.
    package var text: [UInt8]?
    /// In its place, the SHA-256 of it, in hexadecimal digits.
    package var digest: [UInt8]?
    package var user: [UInt8]?

    package init(text: [UInt8]? = nil, user: [UInt8]? = nil) { (self.text, self.user) = (text, user) }
}

/// A key in the form in which it is used.
package struct KeyMaterial {
    /// The key of an HMAC, or the digest that a token must have.
    package var bytes: [UInt8]
    /// The same for two keys if one secret is behind both.
    package var fingerprint: Tag

    /// The secret as the key of an HMAC.
    init(signing secret: KeySecret) throws(ModeFault) {
        guard let text = secret.text else { throw ModeFault(member: .secret, text: "expected secret or secret_file") }
        guard text.count >= Secrets.minimumLength else {
            throw ModeFault(
                member: .secret, text: "expected at least \(Secrets.minimumLength) bytes, found \(text.count)")
        }
        self.init(key: text)
    }

    init(key: [UInt8]) {
        bytes = key
        fingerprint = Webhook.digest(of: key.span)
    }

    init(digest: Tag, fingerprint: Tag) {
        bytes = [UInt8](copying: digest.span)
        self.fingerprint = fingerprint
    }
}
