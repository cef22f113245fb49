import Bytes
import JSON
import Webhook

private let signWhatIsSent = "sign exactly the bytes that are sent, and send them unchanged"

/// A line feed that was signed and not sent, or sent and not signed.
struct NewlineAtEnd: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        let body = signing.body
        var found = [[.lineFeed], [.carriageReturn, .lineFeed]].map { ending in
            Alternative(
                change: .body(body + ending),
                finding: Finding(
                    name: "newline-missing",
                    text: "signed is a line feed at the end of the body that was not sent",
                    advice: "\(signWhatIsSent): echo adds a line feed, printf %s does not, and curl -d removes it"))
        }
        var stripped = body
        while let last = stripped.last, last == .lineFeed || last == .carriageReturn {
            stripped.removeLast()
            guard stripped.last != .carriageReturn else { continue }
            found.append(
                Alternative(
                    change: .body(stripped),
                    finding: Finding(
                        name: "newline-added",
                        text: "the body has a line feed at its end that was not signed",
                        advice: """
                            \(signWhatIsSent): curl --data-binary @FILE also sends the line feed at the file's end; if only the \
                            saved body has it, the mistake is in saving it
                            """)))
        }
        return found
    }
}

/// Other white space at either end.
struct SpaceAround: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        let isSpace: (UInt8) -> Bool = { [.space, .tab, .lineFeed, .carriageReturn].contains($0) }
        var trimmed = Array(signing.body.drop(while: isSpace))
        while let last = trimmed.last, isSpace(last) { trimmed.removeLast() }
        guard trimmed != signing.body else { return [] }
        let finding = Finding(
            name: "space-around", text: "the body has white space at an end that was not signed", advice: signWhatIsSent
        )
        return [Alternative(change: .body(trimmed), finding: finding)]
    }
}

/// LF in place of CR LF, or the other way round.
struct LineEndings: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        let plain = signing.body.enumerated().filter { index, byte in
            byte != .carriageReturn || index + 1 == signing.body.count || signing.body[index + 1] != .lineFeed
        }.map(\.element)
        let windows = plain.flatMap { $0 == .lineFeed ? [.carriageReturn, .lineFeed] : [$0] }
        let advice = "\(signWhatIsSent): something on the way, or a file opened as text, has changed the line endings"
        return [(plain, "LF", "CR LF"), (windows, "CR LF", "LF")].map { body, signed, sent in
            Alternative(
                change: .body(body),
                finding: Finding(
                    name: "line-endings",
                    text: "signed are lines that end with \(signed), sent are lines that end with \(sent)",
                    advice: advice))
        }
    }
}

/// The same text in other bytes.
struct TextEncoding: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        var bodies: [(String, [UInt8])] = [("UTF-8 with a byte-order mark", mark + signing.body)]
        if signing.body.starts(with: mark) {
            bodies.append(("UTF-8 without the byte-order mark that was sent", Array(signing.body.dropFirst(3))))
        }
        if let text = String(validating: signing.body, as: UTF8.self) {
            let units = Array(text.utf16)
            let little = units.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
            let big = units.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
            bodies += [
                ("UTF-16", little), ("UTF-16, big-endian", big),
                ("UTF-16 with a byte-order mark", [0xFF, 0xFE] + little),
                ("UTF-16, big-endian, with a byte-order mark", [0xFE, 0xFF] + big),
            ]
            if text.unicodeScalars.allSatisfy({ $0.value < 256 }) {
                let latin = text.unicodeScalars.map { UInt8($0.value) }
                bodies.append(("Latin-1", latin))
                if let inner = String(validating: latin, as: UTF8.self) {
                    bodies.append(("UTF-8, before it was encoded as UTF-8 once more", Array(inner.utf8)))
                }
            }
            bodies.append(
                (
                    "ASCII, with ? for each other character",
                    text.unicodeScalars.map { $0.isASCII ? UInt8($0.value) : 0x3F }
                ))
        }
        let twice = signing.body.flatMap { Array(String(Unicode.Scalar($0)).utf8) }
        bodies.append(
            (String(validating: signing.body, as: UTF8.self) == nil ? "UTF-8" : "UTF-8, encoded twice", twice))
        return bodies.map { name, body in
            Alternative(
                change: .body(body),
                finding: Finding(
                    name: "text-encoding", text: "signed is the text as \(name), not the bytes that were sent",
                    advice: "encode the body as UTF-8 once, sign these bytes, and send them"))
        }
    }
}

/// JSON that was put into a JSON string, which was then sent or signed.
struct JSONInJSON: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        var found: [Alternative] = []
        if let inner = JSONInJSON.content(of: signing.body) {
            let finding = Finding(
                name: "json-in-json", text: "signed is the JSON, but sent was a JSON string that holds it",
                advice: "serialise the payload once only")
            found.append(Alternative(change: .body(inner), finding: finding))
        }
        if String(validating: signing.body, as: UTF8.self) != nil {
            var outer: [UInt8] = []
            outer.append(jsonString: signing.body.span)
            let finding = Finding(
                name: "json-in-json", text: "signed is a JSON string that holds the JSON that was sent",
                advice: "serialise the payload once only")
            found.append(Alternative(change: .body(outer), finding: finding))
        }
        return found
    }

    /// The content of a body that is a JSON string.
    static func content(of body: [UInt8]) -> [UInt8]? {
        let wrapped = Array(#"{"a":"#.utf8) + body + Array("}".utf8)
        let value: [UInt8]?? = try? JSONPath(Array("a".utf8))?.text(in: wrapped.span)
        guard body.first == .quote, let value, let value else { return nil }
        return value
    }
}

/// The value of one member.
struct PartOfBody: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        guard let json = LosslessJSON(signing.body), case .object(let members) = json else { return [] }
        return members.prefix(50).flatMap { member in
            var texts = [member.value.text(JSONStyle())]
            if case .string(let text) = member.value { texts.append(text) }
            return texts.map { text in
                Alternative(
                    change: .body(text),
                    finding: Finding(
                        name: "part-of-body",
                        text: "signed is only the value of the member \(quoted(member.name, limit: 40))",
                        advice: "sign the whole body"))
            }
        }
    }
}

/// Something that stands where the body should.
struct NotTheBody: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        let texts = [
            ("", "an empty body"), ("{}", "{}"), ("null", "null"), ("undefined", "undefined"),
            ("[object Object]", "[object Object]"),
        ]
        var found = texts.map { (Array($0.0.utf8), $0.1) }
        found.append((Array(request.path.utf8), "the path"))
        found.append((base64Encoded(signing.body), "the body in base64"))
        if let length = request.declaredLength, length < signing.body.count {
            found.append(
                (Array(signing.body.prefix(length)), "a body of the declared Content-Length, which is shorter"))
        }
        return found.map { body, what in
            Alternative(
                change: .body(body),
                finding: Finding(
                    name: body.isEmpty ? "empty-body" : "other-text",
                    text: "signed is \(what), not the body that was sent",
                    advice:
                        "\(signWhatIsSent): compute the signature after the body has been serialised, from the same bytes"
                ))
        }
    }
}

/// The digest of the body in place of the body.
struct DigestOfBody: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        let digest = Hash.sha256.digest(of: signing.body)
        let hex = hexadecimal(digest.span)
        let texts = [hex, digest, base64Encoded(digest), Array(text(hex).uppercased().utf8)]
        return texts.map { text in
            Alternative(
                change: .body(text),
                finding: Finding(
                    name: "digest-of-body", text: "signed is the SHA-256 of the body, not the body",
                    advice: "pass the body itself to the HMAC function, which hashes it"))
        }
    }
}
