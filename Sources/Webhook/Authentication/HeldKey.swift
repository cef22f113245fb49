import Bytes

/// A key with its secret, for tools that sign and explain. The responder keeps neither.
package struct HeldKey {
    package let isSender: Bool
    /// The tenant's or sender's id; empty for the secret that all share.
    package let owner: [UInt8]
    package let isOwnerActive: Bool
    package let id: [UInt8]
    package let mode: any KeyMode
    package let parameters: ModeParameters
    package private(set) var secret: KeySecret
    package private(set) var material: KeyMaterial
    package let validity: KeyValidity

    /// The headers with which its holder sends a body.
    package func headers(signing body: [UInt8], as message: OutgoingMessage) throws(ModeFault) -> [HeaderField] {
        try mode.headers(signing: body, as: message, with: self)
    }

    /// How the mode signs; nil if it does not.
    package var form: SignatureForm? { mode.form(parameters) }

    /// The header in which the mode looks for a signature, a token or a password.
    package var header: String { form?.header ?? parameters.texts[.header] ?? TokenMode.defaultHeader }

    /// Overwrites what is secret of it.
    package mutating func wipe() {
        secret.text?.wipe()
        material.bytes.wipe()
    }

    /// The secret that all tenants share.
    package static func shared(_ secret: [UInt8]) -> HeldKey {
        HeldKey(
            isSender: false, owner: [], isOwnerActive: true, id: [], mode: ServiceDeskMode(),
            parameters: ModeParameters(mode: ServiceDeskMode.name), secret: KeySecret(text: secret),
            material: KeyMaterial(key: secret), validity: KeyValidity())
    }
}

/// A header field of a request.
package struct HeaderField: Equatable {
    package let name: String
    package let value: [UInt8]

    package init(_ name: String, _ value: [UInt8]) { (self.name, self.value) = (name, value) }
}

/// What a message has beside its body.
package struct OutgoingMessage {
    /// The `webhook-id`.
    package var id: [UInt8]
    /// Seconds since 1970.
    package var time: Int

    package init(id: [UInt8], time: Int) { (self.id, self.time) = (id, time) }
}

extension TenantsFile {
    /// The keys of a file of lines that has no faults.
    package static func heldKeys(_ text: Span<UInt8>) throws(TenantsFileFault) -> [HeldKey] {
        _ = try parse(text)
        var keys: [HeldKey] = []
        forEachLine(of: text) { _, id, secrets in
            for (index, secret) in secrets.enumerated() {
                let secret = [UInt8](copying: text.extracting(secret))
                keys.append(
                    HeldKey(
                        isSender: false, owner: [UInt8](copying: text.extracting(id)), isOwnerActive: true,
                        id: Array("\(index + 1)".utf8), mode: ServiceDeskMode(),
                        parameters: ModeParameters(mode: ServiceDeskMode.name), secret: KeySecret(text: secret),
                        material: KeyMaterial(key: secret), validity: KeyValidity()))
            }
        }
        return keys
    }
}

extension TenantsJSON {
    /// The keys of a file as JSON that has no faults, in its order.
    package static func heldKeys(
        _ text: Span<UInt8>, readSecret: @escaping (String) -> Result<[UInt8], SecretReadFault>
    ) throws(TenantsFileFault) -> [HeldKey] {
        let parser = try checked(text, readSecret: readSecret)
        return parser.owners.flatMap { owner in
            owner.keys.compactMap { key in
                key.material.map { material in
                    HeldKey(
                        isSender: owner.isSender, owner: owner.id, isOwnerActive: owner.isActive, id: key.id,
                        mode: parser.modes.modes[key.mode], parameters: key.parameters, secret: key.secret,
                        material: material, validity: key.validity)
                }
            }
        }
    }
}
