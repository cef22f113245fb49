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

/// A secret that nobody has seen yet.
package struct NewSecret {
    /// Bytes of randomness.
    private static let length = 32
    package let text: String

    /// Draws one in the form that a mode wants.
    package static func make(mode: String) throws(SystemError) -> NewSecret {
        let bytes = try randomBytes(length)
        guard mode == StandardWebhooksMode.name else { return NewSecret(text: hexadecimal(bytes)) }
        return NewSecret(
            text: StandardWebhooksMode.secretPrefix + String(decoding: base64Encoded(bytes), as: UTF8.self))
    }

    /// For tests.
    init(text: String) { self.text = text }

    /// What the file has of it. A secret that the sender only shows is kept as a digest.
    fileprivate func member(mode: String) -> (name: String, value: JSONTree) {
        guard mode == TokenMode.name || mode == BasicMode.name else { return ("secret", .string(text)) }
        var digits: [UInt8] = []
        digits.append(hex: digest(of: Array(text.utf8).span))
        return ("sha256", .string(String(decoding: digits, as: UTF8.self)))
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    var digits: [UInt8] = []
    for byte in bytes { digits.append(hex: byte) }
    return String(decoding: digits, as: UTF8.self)
}
