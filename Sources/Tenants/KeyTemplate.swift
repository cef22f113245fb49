import Bytes
package import JSON
package import System
import Webhook

/// What a key's mode and its parameters are, in the members of the tenants file: all but its id, its secret and its times.
package struct KeyTemplate {
    private static let others: Set<String> = ["id", "secret", "secret_file", "sha256", "not_before", "not_after"]

    package let mode: String
    let members: [(name: String, value: JSONTree)]

    /// - Parameter parameters: those of the mode, such as `header`.
    package init(mode: String, parameters: [(name: String, value: JSONTree)]) {
        self.mode = mode
        members = [("mode", .string(mode))] + parameters
    }

    /// That of a key in the file.
    init(of key: JSONTree) {
        mode = key["mode"]?.string ?? ""
        members = (key.members ?? []).filter { !KeyTemplate.others.contains($0.name) }
    }

    /// A key with a new secret.
    package func key(id: String, _ secret: NewSecret) -> JSONTree {
        .object([("id", .string(id))] + members + [secret.member(mode: mode)])
    }
}

/// The secret of a key that is added.
package struct NewSecret {
    /// Bytes of randomness.
    private static let length = 32
    package let text: String

    init(text: String) { self.text = text }

    /// One that the sender has made.
    package init(given bytes: [UInt8], mode: String) throws(EditRefusal) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw EditRefusal("the secret is not valid UTF-8")
        }
        self.text = text
        // The file keeps only the digest, in which none of these faults can be seen.
        guard isKeptAsDigest(mode: mode) else { return }
        guard TokenMode.lengths.contains(bytes.count), bytes.allSatisfy(\.isVisibleASCII) else {
            let (shortest, longest) = (TokenMode.lengths.lowerBound, TokenMode.lengths.upperBound)
            throw EditRefusal("the secret is not \(shortest) to \(longest) visible ASCII characters")
        }
        if PublishedSecrets.contain(bytes) { throw EditRefusal("the secret is \(PublishedSecrets.fault)") }
    }

    /// Makes a random one in the form that a mode needs.
    package static func make(mode: String) throws(SystemError) -> NewSecret {
        let bytes = try randomBytes(length)
        guard mode == StandardWebhooksMode.name else {
            return NewSecret(text: String(decoding: hexadecimal(bytes.span), as: UTF8.self))
        }
        return NewSecret(
            text: StandardWebhooksMode.secretPrefix + String(decoding: base64Encoded(bytes), as: UTF8.self))
    }

    /// What the file keeps. Of a secret that the sender sends as it is, that is only the digest.
    fileprivate func member(mode: String) -> (name: String, value: JSONTree) {
        guard isKeptAsDigest(mode: mode) else { return ("secret", .string(text)) }
        let secret = Array(text.utf8)
        let digits = hexadecimal(digest(of: secret.span).span)
        return ("sha256", .string(String(decoding: digits, as: UTF8.self)))
    }
}

private func isKeptAsDigest(mode: String) -> Bool { mode == TokenMode.name || mode == BasicMode.name }
