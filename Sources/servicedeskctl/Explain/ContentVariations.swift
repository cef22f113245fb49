import Bytes
import Webhook

/// What stands before and after the body in what the sender signed.
struct SignedContent {
    var before: [UInt8] = []
    var after: [UInt8] = []
}

enum ContentVariations {
    /// The right one first, if the request has what it needs.
    static func all(for key: HeldKey, in request: CapturedRequest) -> [Variation<SignedContent>] {
        let right = right(for: key, in: request)
        var variations = right.map { [Variation<SignedContent>(nil, $0)] } ?? []
        func add(_ mistake: String, _ content: SignedContent) {
            if let right, right.before == content.before, right.after == content.after { return }
            variations.append(Variation(mistake, content))
        }
        let expected = expectation(of: key)
        add("only the body was signed: \(expected)", SignedContent())
        for (name, time) in times(in: request) {
            for separator in ["", ".", ":", "\n", "|", " ", ","] {
                let shown = separator == "\n" ? "a newline" : separator.isEmpty ? "nothing" : "`\(separator)`"
                let mark = Array(separator.utf8)
                add(
                    "\(name), \(shown) and the body were signed: \(expected)", SignedContent(before: time + mark))
                add(
                    "the body, \(shown) and \(name) were signed: \(expected)", SignedContent(after: mark + time))
            }
            if let id = request.value(of: "webhook-id") {
                let stop = [UInt8(ascii: ".")]
                add(
                    "webhook-id, \(name) and the body were signed: \(expected)",
                    SignedContent(before: id + stop + time + stop))
            }
        }
        return variations
    }

    private static func right(for key: HeldKey, in request: CapturedRequest) -> SignedContent? {
        let texts = key.parameters.texts
        switch key.mode {
        case is StandardWebhooksMode:
            guard let id = request.value(of: "webhook-id"), let time = request.value(of: "webhook-timestamp") else {
                return nil
            }
            let stop = [UInt8(ascii: ".")]
            return SignedContent(before: id + stop + time + stop)
        case is HMACMode where texts[.signed] != nil && texts[.signed] != HMACMode.Content.body.rawValue:
            guard let time = request.value(of: texts[.timestampHeader] ?? "") else { return nil }
            let separator = Array((texts[.separator] ?? "").utf8)
            return texts[.signed] == HMACMode.Content.timestampThenBody.rawValue
                ? SignedContent(before: time + separator) : SignedContent(after: separator + time)
        default: return SignedContent()
        }
    }

    /// What the key's mode expects to be signed.
    private static func expectation(of key: HeldKey) -> String {
        let texts = key.parameters.texts
        switch (key.mode, texts[.signed]) {
        case (is StandardWebhooksMode, _):
            return "sign webhook-id, webhook-timestamp and body with full stops between them"
        case (is HMACMode, "timestamp-body"):
            return "sign \(texts[.timestampHeader] ?? ""), `\(texts[.separator] ?? "")` and the body"
        case (is HMACMode, "body-timestamp"):
            return "sign the body, `\(texts[.separator] ?? "")` and \(texts[.timestampHeader] ?? "")"
        default: return "sign the body alone, or let the key's mode say what is signed"
        }
    }

    /// Headers that hold a time.
    private static func times(in request: CapturedRequest) -> [(name: String, text: [UInt8])] {
        request.fields.filter { field in
            let isNumber = (9...16).contains(field.value.count) && field.value.allSatisfy(\.isDigit)
            return isNumber || Timestamp.isDateTime(field.value.span)
        }.map { ($0.name, $0.value) }
    }
}
