import Bytes
import Webhook

/// Something in a header that looks like a signature.
struct SignatureCandidate {
    enum Encoding: String {
        case hexadecimal = "hexadecimal digits"
        case base64
        case base64url
    }

    let header: String
    let prefix: String
    let encoding: Encoding
    let bytes: [UInt8]

    /// Those in the headers of a request.
    static func all(in fields: [HeaderField]) -> [SignatureCandidate] {
        fields.flatMap { field in
            field.value.split(whereSeparator: { $0 == .space || $0 == UInt8(ascii: ";") }).flatMap { word in
                pieces(of: Array(word)).compactMap { prefix, text in
                    decoded(text).map { encoding, bytes in
                        SignatureCandidate(
                            header: field.name, prefix: String(decoding: prefix, as: UTF8.self), encoding: encoding,
                            bytes: bytes)
                    }
                }
            }
        }
    }

    /// A word as it is, and without what stands before its first `=` or `,`.
    private static func pieces(of word: [UInt8]) -> [(prefix: [UInt8], text: [UInt8])] {
        var pieces: [(prefix: [UInt8], text: [UInt8])] = [([], word)]
        for mark in [UInt8(ascii: "="), UInt8(ascii: ",")] {
            guard let index = word.firstIndex(of: mark), index < min(word.count - 4, 16) else { continue }
            pieces.append((Array(word[...index]), Array(word[(index + 1)...])))
        }
        return pieces
    }

    /// Bytes as many as a hash has.
    private static let lengths: Set<Int> = [16, 20, 32, 48, 64]

    private static func decoded(_ text: [UInt8]) -> (Encoding, [UInt8])? {
        if text.count % 2 == 0, lengths.contains(text.count / 2), text.allSatisfy({ $0.hexValue != nil }) {
            let bytes = stride(from: 0, to: text.count, by: 2).map {
                (text[$0].hexValue ?? 0) << 4 | (text[$0 + 1].hexValue ?? 0)
            }
            return (.hexadecimal, bytes)
        }
        let isURLSafe = text.contains { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        var standard = text.map {
            $0 == UInt8(ascii: "-") ? UInt8(ascii: "+") : $0 == UInt8(ascii: "_") ? UInt8(ascii: "/") : $0
        }
        let isPadded = standard.count % 4 == 0
        while standard.count % 4 != 0 { standard.append(UInt8(ascii: "=")) }
        guard let bytes = base64Decoded(standard), lengths.contains(bytes.count) else { return nil }
        return (isURLSafe || !isPadded ? .base64url : .base64, bytes)
    }

    // MARK: The form that a key expects

    /// How a key's mode writes a signature.
    struct Form {
        let header: String
        let prefixes: [String]
        let encoding: Encoding

        /// Nil for a mode that does not sign.
        init?(of key: HeldKey) {
            switch key.mode {
            case is ServiceDeskMode:
                (header, prefixes, encoding) = (ServiceDeskMode.header, ["", "sha256="], .hexadecimal)
            case is StandardWebhooksMode: (header, prefixes, encoding) = ("webhook-signature", ["v1,"], .base64)
            case is HMACMode:
                header = key.parameters.texts[.header] ?? ""
                prefixes = [key.parameters.texts[.prefix] ?? ""]
                encoding = key.parameters.texts[.encoding] == "base64" ? .base64 : .hexadecimal
            default: return nil
            }
        }
    }

    /// What is wrong about the way it is written.
    func mistakes(against form: Form) -> [String] {
        var mistakes: [String] = []
        if header.lowercased() != form.header.lowercased() {
            mistakes.append("the signature is in the header \(header): send it in \(form.header)")
        }
        if encoding != form.encoding {
            mistakes.append("the signature is written as \(encoding.rawValue): write it as \(form.encoding.rawValue)")
        }
        if !form.prefixes.contains(prefix) {
            let expected = form.prefixes[0].isEmpty ? "no prefix" : "the prefix \(form.prefixes[0])"
            mistakes.append(
                prefix.isEmpty
                    ? "the signature lacks the prefix \(form.prefixes[0])"
                    : "the signature has the prefix \(prefix): expected \(expected)")
        }
        return mistakes
    }
}
