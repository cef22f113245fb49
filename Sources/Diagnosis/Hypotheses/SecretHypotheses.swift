import Bytes
import Webhook

private func alternative(_ key: [UInt8], _ name: String, _ text: String, _ advice: String) -> Alternative {
    Alternative(change: .key(key), finding: Finding(name: name, text: text, advice: advice))
}

private let copyExactly = "give the sender exactly the secret's characters"

/// A line feed or a space that the sender took for a part of the secret.
struct SecretWithSpace: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        guard let secret = key.secret.text else { return [] }
        var found: [Alternative] = []
        let endings: [(String, [UInt8])] = [
            ("a line feed", [.lineFeed]), ("CR LF", [.carriageReturn, .lineFeed]), ("a space", [.space]),
            ("a tab", [.tab]),
        ]
        for (name, ending) in endings {
            found.append(
                alternative(
                    secret + ending, "secret-space",
                    "the sender's secret has \(name) at its end that ours does not have",
                    "\(copyExactly): strip the line feed when it is read from a file"))
        }
        found.append(
            alternative(
                [.space] + secret, "secret-space", "the sender's secret has a space before it that ours does not have",
                copyExactly))
        let isSpace: (UInt8) -> Bool = { [.space, .tab, .lineFeed, .carriageReturn].contains($0) }
        var trimmed = Array(secret.drop(while: isSpace))
        while let last = trimmed.last, isSpace(last) { trimmed.removeLast() }
        if trimmed != secret {
            found.append(
                alternative(
                    trimmed, "secret-space", "our secret has white space at an end that the sender's does not have",
                    "remove it from the tenants file"))
        }
        return found
    }
}

/// Quotation marks that one side took for a part of the secret.
struct SecretWithQuotes: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        guard let secret = key.secret.text, let first = secret.first else { return [] }
        var found = [UInt8.quote, UInt8(ascii: "'"), UInt8(ascii: "`")].map { mark in
            alternative(
                [mark] + secret + [mark], "secret-quotes", "the sender's secret has quotation marks around it",
                "\(copyExactly), without the quotation marks")
        }
        if secret.count > 2, first == secret.last, "\"'`".utf8.contains(first) {
            found.append(
                alternative(
                    Array(secret[1..<(secret.count - 1)]), "secret-quotes", "our secret has quotation marks around it",
                    "remove them from the tenants file"))
        }
        return found
    }
}

/// A secret that the sender decoded before use.
struct SecretDecoded: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        guard let secret = key.secret.text else { return [] }
        let advice = "use the secret's characters as the key of the HMAC, undecoded"
        var found: [Alternative] = []
        if let bytes = hexDecoded(secret) {
            found.append(
                alternative(
                    bytes, "secret-decoded", "the sender took the secret for hexadecimal digits, and decoded it", advice
                ))
        }
        if key.modeName != StandardWebhooksMode.name, let bytes = PresentedTag.leniently(base64: secret) {
            found.append(
                alternative(bytes, "secret-decoded", "the sender took the secret for base64, and decoded it", advice))
        }
        let decoded = percentDecoded(secret)
        if decoded != secret {
            found.append(
                alternative(
                    decoded, "secret-decoded", "the sender took the secret for part of a URL, and decoded it", advice))
        }
        return found
    }
}

/// A secret that the sender encoded or hashed before use.
struct SecretEncoded: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        guard let secret = key.secret.text else { return [] }
        let lower = Array(text(secret).lowercased().utf8)
        let upper = Array(text(secret).uppercased().utf8)
        let digest = Hash.sha256.digest(of: secret)
        let keys: [(String, [UInt8])] = [
            ("in hexadecimal digits", hexadecimal(secret.span)), ("in base64", base64Encoded(secret)),
            ("in lower case", lower),
            ("in upper case", upper), ("in UTF-16", secret.flatMap { [$0, 0] }), ("hashed with SHA-256", digest),
            ("hashed with SHA-256, in hexadecimal digits", hexadecimal(digest.span)),
        ]
        var found = keys.filter { $0.1 != secret }.map { how, key in
            alternative(
                key, "secret-encoded", "the sender used the secret \(how) as the key",
                "use the secret's characters as the key")
        }
        found.append(
            alternative(
                [], "secret-empty", "the sender signed with an empty secret", "set the secret in the sender's settings")
        )
        return found
    }
}

/// `whsec_` and base64, which stand for the key, and are not the key.
struct WebhookSecret: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        let prefix = Array(StandardWebhooksMode.secretPrefix.utf8)
        guard let secret = key.secret.text, secret.starts(with: prefix) else { return [] }
        let rest = Array(secret.dropFirst(prefix.count))
        guard key.modeName == StandardWebhooksMode.name else {
            return [
                (rest, "without its whsec_"), (PresentedTag.leniently(base64: rest) ?? rest, "decoded from base64"),
            ].map { used, how in
                alternative(
                    used, "whsec", "the sender used the secret \(how), but mode \(key.modeName) takes it as it is",
                    "use the whole text as the key, or give the key the mode standard-webhooks")
            }
        }
        let advice = "decode the base64 after whsec_: the bytes are the key of the HMAC"
        return [
            alternative(secret, "whsec", "the sender used the text of the secret, with its whsec_, as the key", advice),
            alternative(rest, "whsec", "the sender used the base64 after whsec_ as the key, undecoded", advice),
        ]
    }
}

/// A secret that ended, for the sender, at a character that has a meaning in a shell, a URL or a settings file.
struct SecretCut: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        guard let secret = key.secret.text else { return [] }
        let ends = secret.indices.filter { "$#&;%\\!\"'` ".utf8.contains(secret[$0]) }
        return ends.prefix(8).map { end in
            alternative(
                Array(secret[..<end]), "secret-cut",
                "the sender's secret ends before a character \(quoted([secret[end]]))",
                "quote the secret where the sender's settings or shell give that character a meaning")
        }
    }
}
