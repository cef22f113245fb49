import Bytes
import Webhook

/// Something in a header that may be a token or a password, however it is written.
struct PresentedToken {
    let header: String
    /// Whether a header of the same name stands before it.
    let isRepeat: Bool
    /// What stands before it: a scheme of HTTP authentication and a space, or nothing.
    let prefix: [UInt8]
    let text: [UInt8]
    /// Of HTTP Basic authentication.
    var user: [UInt8]?
    /// Whether user and password are in base64, as they should be.
    var isEncoded = true
    var isQuoted = false

    static func all(in request: SavedRequest) -> [PresentedToken] {
        request.fields.enumerated().filter { $1.value.count <= 4096 }.flatMap { index, field in
            var starts = [0]
            for mark in [UInt8.space, UInt8(ascii: "="), UInt8(ascii: ":")] {
                if let index = field.value.firstIndex(of: mark) { starts.append(index + 1) }
            }
            return starts.flatMap { start in
                tokens(
                    Array(field.value[start...]), after: Array(field.value[..<start]), in: field.name,
                    isRepeat: request.repeats.contains(index))
            }
        }
    }

    private static func tokens(
        _ text: [UInt8], after prefix: [UInt8], in header: String, isRepeat: Bool
    ) -> [PresentedToken] {
        var tokens = [PresentedToken(header: header, isRepeat: isRepeat, prefix: prefix, text: text)]
        if text.count > 2, let first = text.first, first == text.last, "\"'".utf8.contains(first) {
            let inner = Array(text[1..<(text.count - 1)])
            tokens.append(
                PresentedToken(header: header, isRepeat: isRepeat, prefix: prefix, text: inner, isQuoted: true))
        }
        for (pair, isEncoded) in [(base64Decoded(text), true), (text, false)] {
            guard let pair, let colon = pair.firstIndex(of: UInt8(ascii: ":")) else { continue }
            tokens.append(
                PresentedToken(
                    header: header, isRepeat: isRepeat, prefix: prefix, text: Array(pair[(colon + 1)...]),
                    user: Array(pair[..<colon]),
                    isEncoded: isEncoded))
        }
        return tokens
    }

    /// Whether it is what the key's holder knows.
    func proves(_ key: HeldKey) -> Bool {
        if key.form != nil { return key.secret.text == text }
        let secret = KeySecret(text: text, user: key.secret.user)
        guard let material = try? type(of: key.mode).material(of: secret) else { return false }
        return material.bytes == key.material.bytes
    }

    /// Whether it is the digest that stands for a token in the tenants file.
    func isDigest(of key: HeldKey) -> Bool {
        key.modeName == TokenMode.name && hexDecoded(text) == key.material.bytes
    }

    /// What is wrong with how a right token or password is sent.
    func findings(_ key: HeldKey) -> [Finding] {
        TokenHypotheses.all.compactMap { $0.finding(self, key) }
    }
}

/// A mistake in how a right token or password is sent.
protocol TokenHypothesis: Sendable {
    /// Nil if there is none.
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding?
}

enum TokenHypotheses {
    static let all: [any TokenHypothesis] = [
        SecretSent(), OtherTokenMode(), TokenInOtherHeader(), TokenPrefix(), TokenInQuotes(), OtherUser(),
        PasswordUnencoded(), TokenInRepeatedHeader(),
    ]
}
