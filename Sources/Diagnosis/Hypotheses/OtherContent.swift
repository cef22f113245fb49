import Bytes
import Webhook

/// Other parts beside the body than the mode signs, or in another order, or with other text between them.
struct OtherContent: SigningHypothesis {
    private static let separators = [".", "", ":", "\n", "|", "-", " ", ",", ";", "&"]

    /// A text that is signed beside the body, and what it is called.
    private struct Part {
        let name: String
        let text: [UInt8]
    }

    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        let expected = OtherContent.description(of: key.form?.signed ?? [.body])
        var found = [([UInt8](), [UInt8](), "the body alone")]
        for time in times(in: request, key) {
            for separator in OtherContent.separators {
                let between = Array(separator.utf8)
                let mark = separator.isEmpty ? "nothing" : quoted(between)
                found.append((time.text + between, [], "\(time.name) and the body with \(mark) between them"))
                found.append(([], between + time.text, "the body and \(time.name) with \(mark) between them"))
                found.append((Array("v0".utf8) + between + time.text + between, [], "v0, \(time.name) and the body"))
                for id in ids(in: request) {
                    let idFirst = id.text + between + time.text + between
                    let timeFirst = time.text + between + id.text + between
                    found.append((idFirst, [], "\(id.name), \(time.name) and the body with \(mark) between them"))
                    found.append((timeFirst, [], "\(time.name), \(id.name) and the body with \(mark) between them"))
                }
            }
        }
        return found.filter { $0.0 != signing.before || $0.1 != signing.after }.map { before, after, what in
            Alternative(
                change: .content(before: before, after: after),
                finding: Finding(
                    name: "other-content", text: "signed is \(what); mode \(key.modeName) signs \(expected)",
                    advice: """
                        sign \(expected), or give the key a mode that signs what the sender signs (mode hmac with signed and \
                        separator)
                        """))
        }
    }

    /// The times that the request has, as they are and in other forms.
    private func times(in request: SavedRequest, _ key: HeldKey) -> [Part] {
        var parts: [Part] = []
        for part in request.fields.flatMap({ OtherContent.times(in: $0, key) }) {
            parts.append(part)
            guard let seconds = WrittenTime(part.text)?.seconds else { continue }
            let others = [
                ("in seconds", SignedTime.unix.text(of: seconds)),
                ("in milliseconds", SignedTime.unix.text(of: seconds) + Array("000".utf8)),
                ("as a date-time", SignedTime.rfc3339.text(of: seconds)),
            ]
            for (form, text) in others where text != part.text {
                parts.append(Part(name: "\(part.name) \(form)", text: text))
            }
        }
        return parts
    }

    /// A header that is a time, or has one as `t=…` beside the signature.
    private static func times(in field: HeaderField, _ key: HeldKey) -> [Part] {
        let name = field.name.lowercased()
        if name == key.form?.time?.header.lowercased() || name.contains(word: "timestamp") || name.hasSuffix("-time") {
            return [Part(name: field.name, text: field.value)]
        }
        let words = field.value.split { $0 == UInt8(ascii: ",") || $0 == .space }
        return words.filter { $0.starts(with: "t=".utf8) }.map {
            Part(name: "t of \(field.name)", text: Array($0.dropFirst(2)))
        }
    }

    private func ids(in request: SavedRequest) -> [Part] {
        request.fields.filter { $0.name.lowercased().hasSuffix("-id") || $0.name.lowercased() == "idempotency-key" }.map
        {
            Part(name: $0.name, text: $0.value)
        }
    }

    static func description(of parts: [SignatureForm.Part]) -> String {
        let texts = parts.compactMap { part in
            switch part {
            case .body: "the body"
            case .header(let name): name
            case .text(let text): text.isEmpty ? nil : quoted(text)
            }
        }
        return texts == ["the body"] ? "the body alone" : texts.joined(separator: " + ")
    }
}

/// A time as a sender may have written it.
struct WrittenTime {
    enum Form { case seconds, milliseconds, microseconds, dateTime }

    let form: Form
    /// Since 1970.
    let seconds: Int

    init?(_ text: [UInt8]) {
        if Timestamp.isDateTime(text.span) {
            (form, seconds) = (.dateTime, Timestamp.seconds(of: text.span))
        } else if let number = text.span.decimal {
            switch text.count {
            case ...11: (form, seconds) = (.seconds, number)
            case 12...14: (form, seconds) = (.milliseconds, number / 1000)
            default: (form, seconds) = (.microseconds, number / 1_000_000)
            }
        } else {
            return nil
        }
    }
}
