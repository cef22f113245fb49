import Bytes
import JSON

/// The rules of the tenants file as JSON, once it has been read.
extension TenantsJSON {
    /// Adds the faults of what was read.
    mutating func check() {
        var places: [Bool: [[UInt8]: Int]] = [:]
        var secrets: [Tag.Key: Int] = [:]
        for index in owners.indices where owners[index].isObject {
            let (id, place, isSender) = (owners[index].id, owners[index].place, owners[index].isSender)
            if !Ticket.isTenantID(id.span) {
                faults.add("\(place).id: expected 1 to \(Field.tenantID.limit) of a-z, 0-9 and -")
            } else if let first = places[isSender, default: [:]].updateValue(index, forKey: id) {
                faults.add("\(place).id: the same as \(owners[first].place).id")
            }
            checkKeys(of: index, &secrets)
        }
        checkRoutes(tenants: places[false] ?? [:])
        checkProfiles()
    }

    private mutating func checkKeys(of owner: Int, _ secrets: inout [Tag.Key: Int]) {
        let place = owners[owner].place
        let count = owners[owner].keys.count
        if count > TenantsJSON.keyLimit || count == 0 && owners[owner].isSender {
            faults.add("\(place).keys: expected 1 to \(TenantsJSON.keyLimit) keys, found \(count)")
        }
        var ids: Set<[UInt8]> = []
        for index in owners[owner].keys.indices where owners[owner].keys[index].isObject {
            let keyPlace = "\(place).keys[\(index)]"
            var key = owners[owner].keys[index]
            if !key.hasValidID {
                faults.add("\(keyPlace).id: expected 1 to \(TenantsJSON.keyIDLimit) of A-Z, a-z, 0-9, . _ -")
            }
            if !ids.insert(key.id).inserted {
                faults.add("\(keyPlace).id: another key of this \(owners[owner].kind) has it")
            }
            readSecret(of: &key, at: keyPlace)
            check(&key, at: keyPlace)
            owners[owner].keys[index] = key
            guard let material = key.material else { continue }
            // Whoever knows a secret that two tenants share can sign for both. A mode may make a key of it that another
            // does not.
            let text = key.secret.text ?? material.bytes
            let digests = [material.fingerprint.key, digest(of: text.span).key]
            let first = digests.compactMap { secrets[$0] }.first { $0 != owner }
            for digest in digests where secrets[digest] == nil { secrets[digest] = owner }
            if let first { faults.add("\(keyPlace): its secret is one of \(owners[first].place), too") }
        }
    }

    /// Takes the secret out of a file of its own.
    private mutating func readSecret(of key: inout Key, at place: String) {
        guard let path = key.secretFile else { return }
        guard key.secret.text == nil else { return faults.add("\(place): has both secret and secret_file") }
        guard !path.contains(0) else {
            // The system would read the file whose path ends there.
            return faults.add("\(place).secret_file: no path has a NUL character")
        }
        switch readSecret(String(decoding: path, as: UTF8.self)) {
        case .failure(let fault): faults.add("\(place).secret_file: \(fault.description)")
        case .success(let secret): key.secret.text = secret
        }
    }

    private mutating func check(_ key: inout Key, at place: String) {
        if key.validity.notBefore > key.validity.notAfter { faults.add("\(place): not_after is before not_before") }
        var modeFaults: [ModeFault] = []
        if let mode = modes.add(key.parameters, &modeFaults) { key.mode = mode }
        if let type = KeyModes.named(key.parameters.mode) {
            if key.secret.digest != nil && !type.members.contains(.sha256) {
                modeFaults.append(ModeFault(member: .sha256, text: "is not used by mode \(type.name)"))
            }
            if key.secret.user != nil && !type.members.contains(.user) {
                modeFaults.append(ModeFault(member: .user, text: "is not used by mode \(type.name)"))
            }
            // A file that cannot be read is a fault already.
            if key.secretFile == nil || key.secret.text != nil { makeMaterial(of: &key, type, &modeFaults) }
        }
        for fault in modeFaults {
            let member = fault.member == .secret && key.secretFile != nil ? "secret_file" : fault.member.rawValue
            faults.add("\(place).\(member): \(fault.text)")
        }
    }

    private func makeMaterial(of key: inout Key, _ type: any KeyMode.Type, _ faults: inout [ModeFault]) {
        do throws(ModeFault) {
            let material = try type.material(of: key.secret)
            let isPublished =
                PublishedSecrets.contain(key.secret.text ?? [])
                || PublishedSecrets.contain(digest: material.fingerprint)
            if isPublished {
                let member = key.secret.text == nil ? ModeParameters.Member.sha256 : .secret
                throw ModeFault(member: member, text: "is \(PublishedSecrets.fault)")
            }
            key.material = material
        } catch {
            faults.append(error)
        }
    }

    /// Every tenant must be within reach, and every sender's tickets must belong to a tenant of the file.
    private mutating func checkRoutes(tenants: [[UInt8]: Int]) {
        var reached: Set<[UInt8]> = []
        for owner in owners where owner.isSender && owner.isObject {
            switch (owner.tenant, owner.tenantFrom) {
            case (nil, nil): faults.add("\(owner.place): expected tenant or tenant_from")
            case (_?, _?): faults.add("\(owner.place): has both tenant and tenant_from")
            case (let id?, nil):
                reached.insert(id)
                if tenants[id] == nil { faults.add("\(owner.place).tenant: is not one of the file's tenants") }
            case (nil, let from?):
                if JSONPath(from.path) == nil {
                    faults.add(
                        "\(owner.place).tenant_from.path: expected 1 to \(JSONPath.limit) keys with full stops between them"
                    )
                }
                if from.tenants.isEmpty { faults.add("\(owner.place).tenant_from.tenants: expected at least one") }
                reached.formUnion(from.tenants.values)
                // Without a profile it is read as the ticket's, too: any other would be that of another tenant.
                if owner.profileID == nil, from.path == Array("tenant_id".utf8),
                    from.tenants.contains(where: { $0.key != $0.value })
                {
                    faults.add("\(owner.place).tenant_from.tenants: a tenant_id can only stand for itself")
                }
                let unknown = from.tenants.values.count { tenants[$0] == nil }
                if unknown > 0 {
                    faults.add("\(owner.place).tenant_from.tenants: \(unknown) of them are none of the file's tenants")
                }
            }
        }
        for owner in owners where !owner.isSender && owner.isObject && owner.keys.isEmpty && !reached.contains(owner.id)
        {
            faults.add("\(owner.place).keys: expected 1 to \(TenantsJSON.keyLimit) keys, or a sender for the tenant")
        }
    }

    /// The table of what was read, which has no faults.
    func table() -> TenantTable {
        let keys = owners.reduce(0) { $0 + $1.keys.count }
        let idBytes = owners.reduce(0) { $0 + $1.id.count + $1.keys.reduce(0) { $0 + $1.id.count } }
        let table = TenantTable(owners: owners.count, keys: keys, idBytes: idBytes, modes: modes, isJSON: true)
        var warnings = TenantsFileWarnings()
        for owner in owners {
            if let route = owner.route {
                _ = table.addSender(owner.id.span, isActive: owner.isActive, route: route, profile: owner.profile)
            } else {
                _ = table.addTenant(owner.id.span, isActive: owner.isActive, limit: owner.limit ?? defaultLimit)
            }
            for key in owner.keys {
                guard let material = key.material else { continue }
                if let secret = key.secret.text { warnings.lookForQuotes(in: secret.span, at: owner.place) }
                table.addKey(material.bytes.span, id: key.id.span, mode: key.mode, validity: key.validity)
            }
        }
        table.warnings = warnings.tell()
        return table
    }
}

extension TenantsJSON.Owner {
    fileprivate var kind: String { isSender ? "sender" : "tenant" }

    fileprivate var route: SenderRoute? {
        if let tenant { return .tenant(tenant) }
        guard let tenantFrom, let path = JSONPath(tenantFrom.path) else { return nil }
        return .value(at: path, tenants: tenantFrom.tenants)
    }
}

extension TenantsJSON.Key {
    fileprivate var hasValidID: Bool {
        (1...TenantsJSON.keyIDLimit).contains(id.count)
            && id.allSatisfy {
                $0.isLowercaseLetter || $0.isUppercaseLetter || $0.isDigit || ".-_".utf8.contains($0)
            }
    }
}

extension Tag {
    /// For a dictionary.
    struct Key: Hashable {
        let a: UInt64, b: UInt64, c: UInt64, d: UInt64
    }

    var key: Key {
        let bytes = self
        return Key(
            a: bytes.span.word(at: 0), b: bytes.span.word(at: 8), c: bytes.span.word(at: 16), d: bytes.span.word(at: 24)
        )
    }
}
