import Bytes

/// An HMAC-SHA256 of the body as some help desk sends it: where, how it is written, and what is signed beside the body is
/// data.
package struct HMACMode: KeyMode {
    package static let name = "hmac"
    package static let members: Set<ModeParameters.Member> = [
        .header, .prefix, .encoding, .signed, .separator, .timestampHeader, .timestampFormat, .tolerance,
    ]
    package static let required = [ModeParameters.Member.header]
    /// Seconds that a signed time may lie before or after now.
    package static let tolerances = 1...604_800
    package static let defaultTolerance = 300
    /// Bytes of a prefix or a separator, at most.
    package static let textLimit = 32

    package enum Encoding: String, CaseIterable { case hex, base64 }

    /// What is signed.
    package enum Content: String, CaseIterable {
        case body
        case timestampThenBody = "timestamp-body"
        case bodyThenTimestamp = "body-timestamp"
    }

    private struct Time {
        let header: Int
        let format: SignedTime
        let tolerance: Int
    }

    private let header: Int
    private let prefix: [UInt8]
    private let encoding: Encoding
    private let content: Content
    private let separator: [UInt8]
    private let time: Time?

    package init(_ parameters: ModeParameters, headers: inout HeaderNames, faults: inout [ModeFault]) {
        header = parameters.addHeader(.header, to: &headers, &faults)
        prefix = parameters.bytes(.prefix, limit: HMACMode.textLimit, &faults)
        separator = parameters.bytes(.separator, limit: HMACMode.textLimit, &faults)
        encoding = parameters.choice(.encoding, default: .hex, &faults)
        content = parameters.choice(.signed, default: .body, &faults)
        guard content != .body else {
            for member in [ModeParameters.Member.separator, .timestampHeader, .timestampFormat, .tolerance]
            where parameters.given.contains(member) {
                faults.append(ModeFault(member: member, text: "is used only where a timestamp is signed"))
            }
            time = nil
            return
        }
        let tolerance = parameters.tolerance ?? HMACMode.defaultTolerance
        if !HMACMode.tolerances.contains(tolerance) {
            let (first, last) = (HMACMode.tolerances.lowerBound, HMACMode.tolerances.upperBound)
            faults.append(ModeFault(member: .tolerance, text: "expected \(first) to \(last) seconds"))
        }
        time = Time(
            header: parameters.addHeader(.timestampHeader, to: &headers, &faults),
            format: parameters.choice(.timestampFormat, default: .unix, &faults), tolerance: tolerance)
    }

    package func credential(in headers: CredentialHeaders, at now: Int) -> Credential {
        guard let value = headers.value(of: header) else { return .absent }
        guard value.starts(with: prefix), let tag = tag(from: value.dropFirst(prefix.count)) else { return .malformed }
        var signature = PresentedSignature(tag: tag)
        guard let time else { return .signature(signature) }
        guard let text = headers.value(of: time.header), let seconds = time.format.seconds(of: text.span) else {
            return .malformed
        }
        signature.more =
            content == .timestampThenBody ? .init(before: text + separator) : .init(after: separator + text)
        signature.isStale = SignedTime.isStale(seconds, at: now, tolerance: time.tolerance)
        return .signature(signature)
    }

    package func headers(
        signing body: [UInt8], as message: OutgoingMessage, with key: HeldKey
    ) throws(ModeFault) -> [HeaderField] {
        let header = key.parameters.texts[.header] ?? ""
        func field(_ tag: [UInt8]) -> HeaderField {
            HeaderField(header, prefix + (encoding == .hex ? hexadecimal(tag.span) : base64Encoded(tag)))
        }
        guard let time else { return [field(Self.tag(body, with: key))] }
        let text = time.format.text(of: message.time)
        let tag =
            content == .timestampThenBody
            ? Self.tag(of: text + separator, body, with: key) : Self.tag(body, separator + text, with: key)
        return [field(tag), HeaderField(key.parameters.texts[.timestampHeader] ?? "", text)]
    }

    package func form(_ parameters: ModeParameters) -> SignatureForm? {
        var form = SignatureForm(header: parameters.texts[.header] ?? "")
        form.prefix = prefix
        form.encoding = encoding
        guard let time, let header = parameters.texts[.timestampHeader] else { return form }
        form.time = SignatureForm.Time(header: header, format: time.format, tolerance: time.tolerance)
        let separator = SignatureForm.Part.text(separator)
        form.signed =
            content == .timestampThenBody ? [.header(header), separator, .body] : [.body, separator, .header(header)]
        return form
    }

    private func tag(from text: ArraySlice<UInt8>) -> Tag? {
        switch encoding {
        case .hex: Tag(hexadecimal: Array(text).span)
        case .base64: Tag(base64: text)
        }
    }
}
