import Bytes
import Webhook

/// A header whose name nginx drops.
struct UnderscoreInHeader: WritingHypothesis {
    func finding(_ tag: PresentedTag, _ form: SignatureForm, _ key: HeldKey, _ keys: [HeldKey]) -> Finding? {
        UnderscoreInHeader.finding(tag.header, key)
    }

    static func finding(_ header: String, _ key: HeldKey) -> Finding? {
        guard header.contains("_"), header.isHeader(key.header.replacing("-", with: "_"), orWithDashes: true) else {
            return nil
        }
        return Finding(
            name: "header-underscore", text: "the header is called \(header): nginx drops headers with an underscore",
            advice: "call it \(key.header)")
    }
}

/// A right signature in a header where the key's mode does not look for it.
struct OtherHeader: WritingHypothesis {
    func finding(_ tag: PresentedTag, _ form: SignatureForm, _ key: HeldKey, _ keys: [HeldKey]) -> Finding? {
        guard !tag.header.isHeader(form.header, orWithDashes: true) else { return nil }
        let other = keys.first { $0.form != nil && $0.header.isHeader(tag.header) }?.modeName
        let servicedesk = tag.header.isHeader(ServiceDeskMode.header) ? ServiceDeskMode.name : nil
        if let mode = other ?? servicedesk {
            return Finding(
                name: "wrong-mode",
                text:
                    "the right signature is in \(tag.header), as a mode \(mode) has it, but \(key.title) has mode \(key.modeName)",
                advice: "send \(key.instruction), or give the key the mode of the sender")
        }
        return Finding(
            name: "header-name",
            text:
                "the right signature is in the header \(quoted(tag.header.utf8)), but the key's mode \(key.modeName) has it in \(form.header)",
            advice: "send \(key.instruction), or give the key mode hmac with this header")
    }
}

/// base64 where hexadecimal digits are expected, or the other way round.
struct OtherEncoding: WritingHypothesis {
    func finding(_ tag: PresentedTag, _ form: SignatureForm, _ key: HeldKey, _ keys: [HeldKey]) -> Finding? {
        let expected: PresentedTag.Writing = form.encoding == .hex ? .hex : .base64
        guard tag.writing != expected else { return nil }
        return Finding(
            name: "encoding", text: "the right signature is written \(tag.writing.text), not \(expected.text)",
            advice: "send \(key.instruction), or give the key mode hmac with the encoding of the sender")
    }
}

/// Other text around a right signature than the mode has.
struct OtherPrefix: WritingHypothesis {
    func finding(_ tag: PresentedTag, _ form: SignatureForm, _ key: HeldKey, _ keys: [HeldKey]) -> Finding? {
        guard tag.header.isHeader(form.header, orWithDashes: true) else { return nil }
        var (prefix, suffix) = (tag.prefix, tag.suffix)
        if form.isList {
            prefix = Array(prefix[((prefix.lastIndex(of: .space) ?? -1) + 1)...])
            if suffix.first == .space { suffix = [] }
        }
        guard prefix != form.prefix || !suffix.isEmpty, !prefix.isEmpty || !form.isPrefixOptional || !suffix.isEmpty
        else {
            return nil
        }
        let expected =
            form.prefix.isEmpty ? "nothing" : quoted(form.prefix) + (form.isPrefixOptional ? " or nothing" : "")
        let before = prefix.isEmpty ? "nothing" : quoted(prefix, limit: 40)
        let after = suffix.isEmpty ? "" : ", and \(quoted(suffix, limit: 40)) after it"
        return Finding(
            name: "prefix",
            text: "before the right signature stands \(before)\(after); expected is \(expected) and nothing after it",
            advice: "send \(key.instruction)")
    }
}

extension String {
    /// Whether it names the same header.
    func isHeader(_ other: String, orWithDashes: Bool = false) -> Bool {
        let (a, b) = (lowercased(), other.lowercased())
        return a == b || orWithDashes && a.replacing("_", with: "-") == b.replacing("_", with: "-")
    }

    func contains(word: String) -> Bool {
        utf8.indices.contains { self[$0...].hasPrefix(word) }
    }

    func replacing(_ character: Character, with other: Character) -> String {
        String(map { $0 == character ? other : $0 })
    }
}
