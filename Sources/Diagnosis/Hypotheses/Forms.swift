import Bytes
import Webhook

/// A form (`payload=%7B…`) in place of JSON.
struct FormEncoded: SigningHypothesis {
    /// Whether the responder takes forms from the sender.
    let isAllowed: Bool

    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        var bodies = FormEncoded.values(of: signing.body)
        if signing.body.first == UInt8(ascii: "%") { bodies.append(percentDecoded(signing.body)) }
        let advice =
            isAllowed
            ? "sign the form, byte for byte as it is sent, or send the JSON itself with Content-Type: application/json"
            : FormEncoded.advice
        return bodies.map { body in
            Alternative(
                change: .body(body),
                finding: Finding(
                    name: "form-encoded", text: "signed is the JSON, but sent was a form that has it as a value",
                    advice: advice))
        }
    }

    private static let advice = """
        send the JSON itself as the body, with Content-Type: application/json; in Deluge, pass text, not a map, to invokeUrl
        """

    /// What is wrong with a body that is a form; nil if it is none, or a right one.
    static func finding(in evidence: Evidence) -> Finding? {
        guard isForm(evidence.request.body) else { return nil }
        guard evidence.trial.allowsForms else {
            return Finding(name: "form-encoded", text: "the body is a form, not JSON", advice: advice)
        }
        let type = evidence.request.value(of: "Content-Type")
        guard evidence.trial.exchange.bodyType != .form, type != nil || evidence.request.isWhole else { return nil }
        return Finding(
            name: "form-encoded",
            text: "the body is a form, but its Content-Type is \(type.map { quoted($0) } ?? "missing")",
            advice: "send Content-Type: application/x-www-form-urlencoded with it, or the JSON itself as the body")
    }

    static func isForm(_ body: [UInt8]) -> Bool {
        let isEncodedJSON = body.first == UInt8(ascii: "%") && percentDecoded(body).first == UInt8(ascii: "{")
        return isEncodedJSON || !values(of: body).isEmpty
    }

    /// The values of a body that is a form, decoded. A form begins with a name and `=`; where base64 ends with that, there is no
    /// value.
    static func values(of body: [UInt8]) -> [[UInt8]] {
        let members = body.split(separator: UInt8(ascii: "&")).prefix(20).compactMap { member in
            member.firstIndex(of: UInt8(ascii: "=")).map { (name: member[..<$0], value: member[($0 + 1)...]) }
        }
        guard let first = members.first, first.name.startIndex == body.startIndex, !first.name.isEmpty,
            first.name.allSatisfy(isOfName),
            members.contains(where: { !$0.value.isEmpty && $0.value != [UInt8(ascii: "=")] })
        else { return [] }
        return members.map { percentDecoded(Array($0.value)) }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        byte.isDigit || byte.isUppercaseLetter || byte.isLowercaseLetter || "-._~*+%[]".utf8.contains(byte)
    }
}

/// The text that percent-encoding stands for, with a space for each plus sign.
func percentDecoded(_ text: [UInt8]) -> [UInt8] {
    var decoded: [UInt8] = []
    var index = 0
    while index < text.count {
        if text[index] == UInt8(ascii: "%"), index + 2 < text.count, let high = text[index + 1].hexValue,
            let low = text[index + 2].hexValue
        {
            decoded.append(high << 4 | low)
            index += 3
        } else {
            decoded.append(text[index] == UInt8(ascii: "+") ? .space : text[index])
            index += 1
        }
    }
    return decoded
}
