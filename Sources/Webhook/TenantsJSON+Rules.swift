import Bytes

/// The rules of the tenants file as JSON, once it has been read.
extension TenantsJSON {
    /// Adds the faults of what was read.
    mutating func check() {
        var places: [[UInt8]: Int] = [:]
        var owners: [[UInt8]: Int] = [:]
        for index in tenants.indices where tenants[index].isObject {
            let place = "tenants[\(index)]"
            let id = tenants[index].id
            if !Ticket.isTenantID(id.span) {
                faults.add("\(place).id: expected 1 to \(Field.tenantID.limit) of a-z, 0-9 and -")
            } else if let first = places.updateValue(index, forKey: id) {
                faults.add("\(place).id: the same as tenants[\(first)].id")
            }
            if !(1...TenantsJSON.keyLimit).contains(tenants[index].keys.count) {
                let count = tenants[index].keys.count
                faults.add("\(place).keys: expected 1 to \(TenantsJSON.keyLimit) keys, found \(count)")
            }
            var ids: Set<[UInt8]> = []
            for key in tenants[index].keys.indices where tenants[index].keys[key].isObject {
                let keyPlace = "\(place).keys[\(key)]"
                checkKey(index, key, at: keyPlace)
                if !ids.insert(tenants[index].keys[key].id).inserted {
                    faults.add("\(keyPlace).id: another key of this tenant has it")
                }
                checkOwner(of: tenants[index].keys[key].secret, index, at: keyPlace, &owners)
            }
        }
    }

    private mutating func checkKey(_ tenant: Int, _ index: Int, at place: String) {
        let key = tenants[tenant].keys[index]
        if !key.id.span.isKeyID {
            faults.add("\(place).id: expected 1 to \(TenantsJSON.keyIDLimit) of A-Z, a-z, 0-9, . _ -")
        }
        if !TenantsJSON.modes.contains(String(decoding: key.mode, as: UTF8.self)) {
            faults.add("\(place).mode: expected one of \(TenantsJSON.modes.joined(separator: ", "))")
        }
        if key.validity.notBefore > key.validity.notAfter { faults.add("\(place): not_after is before not_before") }
        switch (key.secret, key.secretFile) {
        case (nil, nil): faults.add("\(place): expected secret or secret_file")
        case (_?, _?): faults.add("\(place): has both secret and secret_file")
        case (let secret?, nil): checkLength(of: secret, at: "\(place).secret")
        case (nil, let path?) where path.contains(0):
            // The system would read the file whose path ends there.
            faults.add("\(place).secret_file: no path has a NUL character")
        case (nil, let path?):
            switch readSecret(String(decoding: path, as: UTF8.self)) {
            case .failure(let fault): faults.add("\(place).secret_file: \(fault.description)")
            case .success(let secret):
                checkLength(of: secret, at: "\(place).secret_file")
                tenants[tenant].keys[index].secret = secret
            }
        }
    }

    private mutating func checkLength(of secret: [UInt8], at place: String) {
        if secret.count < Secrets.minimumLength {
            faults.add("\(place): expected at least \(Secrets.minimumLength) bytes, found \(secret.count)")
        }
    }

    /// Whoever knows a secret that two tenants share can sign for both.
    private mutating func checkOwner(
        of secret: [UInt8]?, _ tenant: Int, at place: String, _ owners: inout [[UInt8]: Int]
    ) {
        guard let secret else { return }
        var fingerprint: [UInt8] = []
        fingerprint.append(hex: digest(of: secret.span))
        let owner = owners[fingerprint] ?? tenant
        owners[fingerprint] = owner
        if owner != tenant { faults.add("\(place): its secret is one of tenants[\(owner)], too") }
    }

    /// The table of what was read, which has no faults.
    func table() -> TenantTable {
        let keys = tenants.reduce(0) { $0 + $1.keys.count }
        let idBytes = tenants.reduce(0) { $0 + $1.id.count + $1.keys.reduce(0) { $0 + $1.id.count } }
        let table = TenantTable(tenants: tenants.count, secrets: keys, idBytes: idBytes, isJSON: true)
        var warnings = TenantsFileWarnings()
        for (index, tenant) in tenants.enumerated() {
            _ = table.add(tenant.id.span, isActive: tenant.isActive)
            for key in tenant.keys {
                guard let secret = key.secret else { continue }
                warnings.lookForQuotes(in: secret.span, at: "tenants[\(index)]")
                table.addKey(of: secret.span, id: key.id.span, validity: key.validity)
            }
        }
        table.warnings = warnings.tell()
        return table
    }
}

extension Span<UInt8> {
    fileprivate var isKeyID: Bool {
        for index in indices {
            switch self[index] {
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): continue
            case let byte: guard byte.isLowercaseLetter || byte.isUppercaseLetter || byte.isDigit else { return false }
            }
        }
        return (1...TenantsJSON.keyIDLimit).contains(count)
    }
}
