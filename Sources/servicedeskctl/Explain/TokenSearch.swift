import Bytes
import Webhook

/// Finds out what is wrong about a token or a password.
struct TokenSearch {
    let request: CapturedRequest

    /// The key that something in the headers belongs to, and what is wrong about it.
    func match(_ keys: [HeldKey]) -> SignatureSearch.Match? {
        for key in keys where !type(of: key.mode).signsBody {
            for field in request.fields {
                for variation in presented(field) where isToken(variation.value, of: key) {
                    return SignatureSearch.Match(key: key, mistakes: mistakes(field, variation.mistake, key))
                }
            }
        }
        return nil
    }

    private func isToken(_ token: [UInt8], of key: HeldKey) -> Bool {
        let digest = Webhook.digest(of: token.span)
        return areEqual(digest, key.material.fingerprint)
    }

    private func mistakes(_ field: HeaderField, _ mistake: String?, _ key: HeldKey) -> [String] {
        var mistakes: [String] = []
        let isBasic = key.mode is BasicMode
        let header = isBasic ? "Authorization" : key.parameters.texts[.header] ?? TokenMode.defaultHeader
        if field.name.lowercased() != header.lowercased() {
            mistakes.append("it is in the header \(field.name): send it in \(header)")
        } else if let expected = expectedPrefix(of: key, in: header), !hasPrefix(field.value, expected) {
            mistakes.append("\(header) lacks \(expected) before it")
        }
        if isBasic, let pair = basicPair(field), pair.user != key.secret.user ?? [] {
            mistakes.append("the user is not the key's user")
        }
        if let mistake { mistakes.append(mistake) }
        return mistakes
    }

    private func expectedPrefix(of key: HeldKey, in header: String) -> String? {
        if key.mode is BasicMode { return "Basic" }
        if let prefix = key.parameters.texts[.prefix] { return prefix.isEmpty ? nil : prefix }
        return header.lowercased() == "authorization" ? "Bearer" : nil
    }

    private func hasPrefix(_ value: [UInt8], _ prefix: String) -> Bool {
        value.prefix(prefix.utf8.count).map(\.lowercased) == Array(prefix.lowercased().utf8)
    }

    /// What a header may present as a token.
    private func presented(_ field: HeaderField) -> [Variation<[UInt8]>] {
        var variations = [Variation<[UInt8]>(nil, field.value)]
        if let space = field.value.firstIndex(of: .space) {
            let rest = Array(field.value[(space + 1)...])
            variations.append(Variation(nil, rest))
            variations.append(Variation("there are spaces before it", rest.drop { $0 == .space }.map { $0 }))
        }
        if let pair = basicPair(field) {
            variations.append(Variation(nil, pair.password))
            if pair.password.last == .lineFeed {
                variations.append(
                    Variation(
                        "a newline was encoded at the end of the password, as `echo` adds it: use printf",
                        Array(pair.password.dropLast())))
            }
        }
        for variation in variations {
            let text = variation.value
            if text.count > 2, let first = text.first, first == text.last, first == .quote || first == UInt8(ascii: "'")
            {
                variations.append(Variation("it is in quotes: send it without them", Array(text[1..<(text.count - 1)])))
            }
            variations.append(Variation("it lacks the newline that the file's secret ends with", text + [.lineFeed]))
            if let decoded = base64Decoded(text) {
                variations.append(Variation("it is encoded in base64: send it as it is", decoded))
                if decoded.last == .lineFeed {
                    variations.append(
                        Variation(
                            "a newline at its end was encoded with it, as `echo` adds it", Array(decoded.dropLast())))
                }
            }
        }
        return variations
    }

    private func basicPair(_ field: HeaderField) -> (user: [UInt8], password: [UInt8])? {
        guard hasPrefix(field.value, "Basic "), let pair = base64Decoded(field.value.dropFirst(6)),
            let colon = pair.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        return (Array(pair[..<colon]), Array(pair[(colon + 1)...]))
    }
}
