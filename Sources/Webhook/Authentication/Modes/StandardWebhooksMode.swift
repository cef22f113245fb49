import Bytes

/// Standard Webhooks, version 1 (https://www.standardwebhooks.com): `webhook-signature` has one or more
/// `v1,<HMAC-SHA256 in base64>` with spaces between them; signed are id, time and body with full stops between them.
package struct StandardWebhooksMode: KeyMode {
    package static let name = "standard-webhooks"
    package static let signsDeliveryID = true
    /// Seconds that `webhook-timestamp` may lie before or after now.
    package static let tolerance = 300
    /// Bytes of a key, once decoded.
    package static let keyLengths = 24...64
    package static let secretPrefix = "whsec_"

    private let id: Int
    private let timestamp: Int
    private let signature: Int

    package init(_ parameters: ModeParameters, headers: inout HeaderNames, faults: inout [ModeFault]) {
        id = headers.add("webhook-id")
        timestamp = headers.add("webhook-timestamp")
        signature = headers.add("webhook-signature")
    }

    package func credential(in headers: CredentialHeaders, at now: Int) -> Credential {
        guard let signatures = headers.value(of: signature) else { return .absent }
        guard let id = headers.value(of: id), let time = headers.value(of: timestamp),
            let seconds = SignedTime.unix.seconds(of: time.span), let tags = StandardWebhooksMode.tags(in: signatures)
        else { return .malformed }
        let stop = [UInt8(ascii: ".")]
        return .signature(
            PresentedSignature(
                tag: tags[0], more: .init(otherTags: Array(tags.dropFirst()), before: id + stop + time + stop),
                isStale: SignedTime.isStale(seconds, at: now, tolerance: StandardWebhooksMode.tolerance)))
    }

    package func headers(
        signing body: [UInt8], as message: OutgoingMessage, with key: HeldKey
    ) throws(ModeFault) -> [HeaderField] {
        let time = Array("\(message.time)".utf8)
        let stop = [UInt8(ascii: ".")]
        let tag = Self.tag(of: message.id + stop + time + stop, body, with: key)
        return [
            HeaderField("webhook-id", message.id), HeaderField("webhook-timestamp", time),
            HeaderField("webhook-signature", Array("v1,".utf8) + base64Encoded(tag)),
        ]
    }

    package func form(_ parameters: ModeParameters) -> SignatureForm? {
        let stop = SignatureForm.Part.text([UInt8(ascii: ".")])
        var form = SignatureForm(header: "webhook-signature")
        form.prefix = Array("v1,".utf8)
        form.isList = true
        form.encoding = .base64
        form.signed = [.header("webhook-id"), stop, .header("webhook-timestamp"), stop, .body]
        form.time = SignatureForm.Time(
            header: "webhook-timestamp", format: .unix, tolerance: StandardWebhooksMode.tolerance)
        return form
    }

    /// The tags of version 1; nil if there are none, or too many. Those of other versions are ignored.
    private static func tags(in signatures: [UInt8]) -> [Tag]? {
        let words = signatures.split(separator: .space)
        guard words.count <= PresentedSignature.tagLimit else { return nil }
        let tags = words.compactMap { word in word.starts(with: "v1,".utf8) ? Tag(base64: word.dropFirst(3)) : nil }
        return tags.isEmpty ? nil : tags
    }

    /// `whsec_` and the key in base64.
    package static func material(of secret: KeySecret) throws(ModeFault) -> KeyMaterial {
        guard let text = secret.text else { throw ModeFault(member: .secret, text: "expected secret or secret_file") }
        guard text.starts(with: secretPrefix.utf8), let key = base64Decoded(text.dropFirst(secretPrefix.utf8.count)),
            keyLengths.contains(key.count)
        else {
            throw ModeFault(
                member: .secret,
                text: "expected whsec_ and \(keyLengths.lowerBound) to \(keyLengths.upperBound) bytes in base64")
        }
        return KeyMaterial(key: key)
    }
}
