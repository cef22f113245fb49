import Bytes

/// `X-ServiceDesk-Signature: <HMAC-SHA256 of the body>`, 64 hexadecimal digits in either case, with or without `sha256=`
/// before them (the README, "The contract").
package struct ServiceDeskMode: KeyMode {
    package static let name = "servicedesk"
    package static let header = "X-ServiceDesk-Signature"
    private let header: Int

    package init(_ parameters: ModeParameters, headers: inout HeaderNames, faults: inout [ModeFault]) {
        header = headers.add(ServiceDeskMode.header)
    }

    /// That of the secret that all tenants share.
    init() {
        var headers = HeaderNames()
        header = headers.add(ServiceDeskMode.header)
    }

    package func credential(in headers: CredentialHeaders, at now: Int) -> Credential {
        guard let tag = tag(in: headers) else { return .absent }
        return tag.map { .signature(PresentedSignature(tag: $0)) } ?? .malformed
    }

    package func headers(
        signing body: [UInt8], as message: OutgoingMessage, with key: HeldKey
    ) throws(ModeFault) -> [HeaderField] {
        let tag = Self.tag(body, with: key)
        return [HeaderField(ServiceDeskMode.header, hexadecimal(tag.span))]
    }

    package func form(_ parameters: ModeParameters) -> SignatureForm? {
        var form = SignatureForm(header: ServiceDeskMode.header)
        form.prefix = Array("sha256=".utf8)
        form.isPrefixOptional = true
        return form
    }

    /// The tag that a request presents; nil in the inner optional if it is malformed, in the outer one if there is none.
    func tag(in headers: CredentialHeaders) -> Tag?? {
        headers.withValue(of: header) { value in
            Tag(hexadecimal: value.hasPrefix("sha256=") ? value.extracting(droppingFirst: 7) : value)
        }
    }
}
