import Bytes
import JSON
import Webhook

/// Something that a sender may have done otherwise, and what to do about it. The first of a list is what is right.
struct Variation<Value> {
    /// Nil for what is right.
    let mistake: String?
    let value: Value

    init(_ mistake: String?, _ value: Value) { (self.mistake, self.value) = (mistake, value) }
}

/// What the sender may have signed in place of the body that it sent.
enum BodyVariations {
    static func all(of body: [UInt8]) -> [Variation<[UInt8]>] {
        var variations = [Variation<[UInt8]>(nil, body)]
        variations += lineEnds(body) + encodings(body) + forms(body)
        variations += Reserialization.all(of: body).map {
            Variation(
                "the sender signed the JSON in another layout (\($0.layout)) than it sent: sign the bytes that are sent",
                $0.text)
        }
        return variations.filter { $0.mistake == nil || $0.value != body }
    }

    private static func lineEnds(_ body: [UInt8]) -> [Variation<[UInt8]>] {
        var trimmed = body
        while let last = trimmed.last, [.lineFeed, .carriageReturn, .space, .tab].contains(last) {
            trimmed.removeLast()
        }
        let withoutReturns = body.filter { $0 != .carriageReturn }
        let withReturns = Array(
            withoutReturns.split(separator: .lineFeed, omittingEmptySubsequences: false)
                .joined(separator: [.carriageReturn, .lineFeed]))
        let advice = "sign exactly the bytes that are sent"
        return [
            Variation(
                "the body was sent with white space at its end (a trailing newline, say) that was not signed: \(advice)",
                trimmed),
            Variation("a newline at the end was signed and not sent, as `echo` adds it: \(advice)", body + [.lineFeed]),
            Variation("a CRLF at the end was signed and not sent: \(advice)", body + [.carriageReturn, .lineFeed]),
            Variation("lines end with LF in what was signed and with CRLF in what was sent: \(advice)", withoutReturns),
            Variation("lines end with CRLF in what was signed and with LF in what was sent: \(advice)", withReturns),
            Variation(
                "raw newlines were removed on the way, as `curl --data` does: use --data-binary",
                body.filter { $0 != .carriageReturn && $0 != .lineFeed }),
        ]
    }

    private static func encodings(_ body: [UInt8]) -> [Variation<[UInt8]>] {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = String(decoding: body, as: UTF8.self)
        let units = Array(text.utf16)
        let little = units.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        let big = units.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        var variations = [
            Variation("the text was signed in UTF-16 and sent in UTF-8: sign its UTF-8 bytes", little),
            Variation("the text was signed in UTF-16 (big-endian) and sent in UTF-8: sign its UTF-8 bytes", big),
            Variation(
                "the text was signed in UTF-16 with a byte-order mark: sign its UTF-8 bytes", [0xFF, 0xFE] + little),
            Variation("a byte-order mark was signed and not sent: sign the bytes that are sent", mark + body),
        ]
        if body.starts(with: mark) {
            variations.append(
                Variation(
                    "a byte-order mark was sent and not signed: send the text without it", Array(body.dropFirst(3))))
        }
        let latin = text.unicodeScalars.map { $0.value < 256 ? UInt8($0.value) : UInt8(ascii: "?") }
        variations.append(
            Variation("the text was signed in ISO 8859-1 and sent in UTF-8: sign its UTF-8 bytes", latin))
        let doubled = body.flatMap { Array(String(Unicode.Scalar($0)).utf8) }
        variations.append(
            Variation("the text was encoded in UTF-8 twice before it was signed: encode it once", doubled))
        return variations
    }

    private static func forms(_ body: [UInt8]) -> [Variation<[UInt8]>] {
        var variations = [
            Variation("the empty body was signed: sign the body that is sent", []),
            Variation(
                "the SHA-256 of the body was signed in its place: sign the body itself", hexadecimal(sha256(body))),
            Variation(
                "the SHA-256 of the body was signed in its place: sign the body itself", sha256(body)),
            Variation("the base64 of the body was signed: sign the body itself", base64Encoded(body)),
            Variation(
                "the body was signed as a string literal: sign the bytes that are sent", stringLiteral(body)),
        ]
        for name in ["payload", "input_data", "data"] where body.starts(with: "\(name)=".utf8) {
            variations.append(
                Variation(
                    "the body was sent as a form (\(name)=…) and signed as JSON: send the JSON itself",
                    formDecoded(Array(body.dropFirst(name.utf8.count + 1)))))
        }
        return variations
    }

    private static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        let digest = Webhook.digest(of: bytes.span)
        return digest.indices.map { digest[$0] }
    }

    private static func stringLiteral(_ body: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.append(jsonString: String(decoding: body, as: UTF8.self))
        return text
    }

    private static func formDecoded(_ text: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "%"), index + 2 < text.count, let high = text[index + 1].hexValue,
                let low = text[index + 2].hexValue
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(text[index] == UInt8(ascii: "+") ? .space : text[index])
                index += 1
            }
        }
        return bytes
    }
}
