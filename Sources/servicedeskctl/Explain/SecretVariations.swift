import Bytes
import Webhook

/// What the sender may have used as its key in place of the secret.
enum SecretVariations {
    static func all(of key: HeldKey) -> [Variation<[UInt8]>] {
        let right = Variation<[UInt8]>(nil, key.material.bytes)
        guard let text = key.secret.text else { return [right] }
        var variations = [right]
        func add(_ mistake: String, _ value: [UInt8]?) {
            if let value, value != key.material.bytes { variations.append(Variation(mistake, value)) }
        }
        let advice = "configure the secret without it"
        add("the sender's secret has a newline at its end: \(advice)", text + [.lineFeed])
        add("the sender's secret has a CRLF at its end: \(advice)", text + [.carriageReturn, .lineFeed])
        add("the sender's secret has a space at its end: \(advice)", text + [.space])
        add("the sender's secret has a space before it: \(advice)", [.space] + text)
        add("the sender's secret is in double quotes: \(advice)", [.quote] + text + [.quote])
        add("the sender's secret is in single quotes: \(advice)", Array("'".utf8) + text + Array("'".utf8))
        if trimmed(text) != text {
            add("the secret in the tenants file has white space around it that the sender's has not", trimmed(text))
        }
        if let first = text.first, text.count > 2, first == text.last, first == .quote || first == UInt8(ascii: "'") {
            add(
                "the secret in the tenants file is in quotes, and the sender's is not",
                Array(text[1..<(text.count - 1)]))
        }
        add("the sender decoded the secret from hexadecimal before it signed: use it as text", hexDecoded(text))
        let use = "use it as text"
        add("the sender decoded the secret from base64 before it signed: \(use)", base64Decoded(text))
        add("the sender used the secret in upper case", text.map { $0.isLowercaseLetter ? $0 ^ .caseBit : $0 })
        add("the sender used the secret in lower case", text.map(\.lowercased))
        add("the sender signed with the SHA-256 of the secret: use the secret itself", hexadecimal(digestBytes(text)))
        addWholeText(of: key, text, add)
        return variations
    }

    /// A secret whose key is only a part of it, decoded.
    private static func addWholeText(of key: HeldKey, _ text: [UInt8], _ add: (String, [UInt8]?) -> Void) {
        guard text.starts(with: "whsec_".utf8) else { return }
        add("the sender signed with the whole text of the secret: remove whsec_ and decode the rest from base64", text)
        add(
            "the sender signed with the secret without whsec_, but did not decode it from base64",
            Array(text.dropFirst("whsec_".utf8.count)))
    }

    private static func digestBytes(_ text: [UInt8]) -> [UInt8] {
        let digest = Webhook.digest(of: text.span)
        return digest.indices.map { digest[$0] }
    }

    private static func trimmed(_ text: [UInt8]) -> [UInt8] {
        var text = text[...]
        while let last = text.last, last <= .space { text.removeLast() }
        while let first = text.first, first <= .space { text.removeFirst() }
        return Array(text)
    }

    private static func hexDecoded(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 2 == 0, text.allSatisfy({ $0.hexValue != nil }) else { return nil }
        return stride(from: 0, to: text.count, by: 2).map {
            (text[$0].hexValue ?? 0) << 4 | (text[$0 + 1].hexValue ?? 0)
        }
    }
}
