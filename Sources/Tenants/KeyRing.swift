import Bytes
package import Webhook

/// A tenants file with the secrets of its keys, for tools that sign and explain.
package struct KeyRing {
    /// What the responder makes of the file.
    package let table: TenantTable
    /// In the order of the file.
    package private(set) var keys: [HeldKey]

    /// The keys of a tenant or a sender.
    package func keys(of kind: OwnerKind, _ id: String) -> [HeldKey] {
        keys.filter { $0.isSender == (kind == .sender) && $0.owner.elementsEqual(id.utf8) }
    }

    /// Overwrites the secrets.
    package mutating func wipe() {
        table.wipe()
        for index in keys.indices { keys[index].wipe() }
    }
}

extension TenantsStore {
    /// Reads the file as the responder does, and its secrets beside that.
    package func keyRing() throws(TenantsStoreFault) -> KeyRing {
        var text = try readText()
        defer { text.wipe() }
        do throws(TenantsFileFault) {
            guard text.first == UInt8(ascii: "{") else {
                return KeyRing(table: try TenantsFile.parse(text.span), keys: try TenantsFile.heldKeys(text.span))
            }
            return KeyRing(
                table: try TenantsJSON.parse(text.span, readSecret: readSecret),
                keys: try TenantsJSON.heldKeys(text.span, readSecret: readSecret))
        } catch {
            throw TenantsStoreFault(description: "\(path): \(error)")
        }
    }
}
