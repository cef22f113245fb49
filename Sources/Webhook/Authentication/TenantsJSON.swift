import Bytes
import JSON

/// The tenants file as JSON:
///
///     {"tenants": [{"id": "acme", "active": true, "keys": [
///         {"id": "2026-11", "mode": "servicedesk", "secret": "…", "not_before": "2026-11-01T00:00:00Z"},
///         {"id": "2025-04", "mode": "servicedesk", "secret_file": "/etc/servicedesk/acme", "not_after": "…"}]},
///         {"id": "globex"}],
///      "senders": [{"id": "msp", "keys": […], "tenant_from": {"path": "account.name", "tenants": {"Globex": "globex"}}}],
///      "limit": {"per_second": 5, "burst": 100}}
///
/// It is checked as a whole; each fault is reported with its place.
package struct TenantsJSON {
    /// Keys of one tenant or sender, at most.
    package static let keyLimit = 8
    /// Paths of one rule, or keys of one template, at most.
    package static let pathLimit = 64
    /// Characters of a key's id, at most.
    package static let keyIDLimit = 64
    /// The ways in which a sender proves who it is.
    package static var modeNames: [String] { KeyModes.types.map { $0.name } }

    /// A tenant or a sender.
    struct Owner {
        let isSender: Bool
        /// Where it stands in the file: `tenants[0]`.
        let place: String
        var id: [UInt8] = []
        var isActive = true
        /// Of a tenant, its own.
        var limit: RateLimit?
        var keys: [Key] = []
        /// Of a sender whose tickets belong to one tenant.
        var tenant: [UInt8]?
        /// Of a sender whose tickets belong to different tenants.
        var tenantFrom: TenantFrom?
        /// Of a sender whose payloads are mapped.
        var profileID: String?
        /// Found by `checkProfiles`.
        var profile: MappingProfile?
        /// False: nothing else is known of it, and that is the fault.
        var isObject = false
    }

    /// How a value in the payload determines the tenant.
    struct TenantFrom {
        var path: [UInt8] = []
        var tenants: [[UInt8]: [UInt8]] = [:]
    }

    struct Key {
        var id: [UInt8] = []
        var secret = KeySecret()
        var secretFile: [UInt8]?
        var parameters = ModeParameters()
        var validity = KeyValidity()
        /// False: nothing else is known of it, and that is the fault.
        var isObject = false
        // Found by `check`.
        var mode = 0
        var material: KeyMaterial?
    }

    var faults = TenantsFileFault()
    /// Tenants and senders, in the order of the file.
    var owners: [Owner] = []
    var profiles: [ReadProfile] = []
    /// Of the tenants that have none of their own.
    var defaultLimit: RateLimit?
    var modes = KeyModes()
    let readSecret: (String) -> Result<[UInt8], SecretReadFault>

    /// Reads the text.
    ///
    /// - Parameter readSecret: reads the file that a `secret_file` names.
    package static func parse(
        _ text: Span<UInt8>, readSecret: @escaping (String) -> Result<[UInt8], SecretReadFault>
    ) throws(TenantsFileFault) -> TenantTable {
        var parser = try checked(text, readSecret: readSecret)
        defer { parser.wipe() }
        return parser.table()
    }

    /// Reads the text, and throws its faults.
    static func checked(
        _ text: Span<UInt8>, readSecret: @escaping (String) -> Result<[UInt8], SecretReadFault>
    ) throws(TenantsFileFault) -> TenantsJSON {
        var parser = TenantsJSON(readSecret: readSecret)
        do throws(JSONFault) {
            try parser.read(text)
        } catch {
            parser.faults = TenantsFileFault()
            parser.faults.add("\(error.kind.rawValue) in line \(text.line(of: error.offset))")
            parser.wipe()
            throw parser.faults
        }
        parser.check()
        guard parser.faults.isEmpty else {
            parser.wipe()
            throw parser.faults
        }
        return parser
    }

    init(readSecret: @escaping (String) -> Result<[UInt8], SecretReadFault>) { self.readSecret = readSecret }

    private mutating func wipe() {
        for owner in owners.indices {
            for key in owners[owner].keys.indices {
                owners[owner].keys[key].secret.text?.wipe()
                owners[owner].keys[key].material?.bytes.wipe()
            }
        }
    }

    // MARK: Reading

    private mutating func read(_ text: Span<UInt8>) throws(JSONFault) {
        var reader = JSONReader()
        var names: Set<[UInt8]> = []
        try reader.beginObject(in: text)
        while let key = try reader.nextKey(in: text) {
            let name = key.text(from: text)
            let isFirst = names.insert(name).inserted
            let place = place(name)
            if isFirst && place == "limit" {
                defaultLimit = try readLimit(&reader, text, at: place)
                continue
            }
            guard isFirst, ["tenants", "senders", "profiles"].contains(place) else {
                faults.add("\(place): \(isFirst ? "unknown member" : "occurs twice")")
                try reader.skipValue(in: text)
                continue
            }
            try readArray(&reader, text, at: place) { parser, reader, element throws(JSONFault) in
                guard place != "profiles" else { return try parser.readProfile(&reader, text, at: element) }
                try parser.readOwner(&reader, text, at: element, isSender: place == "senders")
            }
        }
        try reader.end(in: text)
        if !owners.contains(where: { !$0.isSender }) && faults.isEmpty {
            faults.add("tenants: expected at least one")
        }
    }

    private mutating func readOwner(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String, isSender: Bool
    ) throws(JSONFault) {
        owners.append(Owner(isSender: isSender, place: place))
        let index = owners.count - 1
        guard try isObject(&reader, text, at: place) else { return }
        owners[index].isObject = true
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            let name = self.place(key.text(from: text))
            let place = "\(place).\(name)"
            switch name {
            case "id": owners[index].id = try string(&reader, text, at: place) ?? []
            case "active": if let value = try boolean(&reader, text, at: place) { owners[index].isActive = value }
            case "keys":
                try readArray(&reader, text, at: place) { parser, reader, place throws(JSONFault) in
                    try parser.readKey(&reader, text, at: place)
                }
            case "limit" where !isSender: owners[index].limit = try readLimit(&reader, text, at: place)
            case "tenant" where isSender: owners[index].tenant = try string(&reader, text, at: place) ?? []
            case "profile" where isSender: owners[index].profileID = try self.text(&reader, text, at: place)
            case "tenant_from" where isSender: try readTenantFrom(&reader, text, at: place, of: index)
            default: try skipUnknown(&reader, text, at: place)
            }
        }
    }

    private mutating func readTenantFrom(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String, of owner: Int
    ) throws(JSONFault) {
        var result = TenantFrom()
        defer { owners[owner].tenantFrom = result }
        guard try isObject(&reader, text, at: place) else { return }
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            let name = self.place(key.text(from: text))
            let place = "\(place).\(name)"
            switch name {
            case "path": result.path = try string(&reader, text, at: place) ?? []
            case "tenants":
                guard try isObject(&reader, text, at: place) else { return }
                try reader.readMembers(in: text) { reader, key throws(JSONFault) in
                    // A value may be anything, also the name of a customer: the place does not repeat it.
                    let place = "\(place)[\(result.tenants.count)]"
                    result.tenants[key.text(from: text)] = try string(&reader, text, at: place) ?? []
                }
            default: try skipUnknown(&reader, text, at: place)
            }
        }
    }

    private mutating func readKey(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) {
        var result = Key()
        // Also where the text ends in the middle of it: its secret is wiped with the others.
        defer { owners[owners.count - 1].keys.append(result) }
        guard try isObject(&reader, text, at: place) else { return }
        result.isObject = true
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            let name = self.place(key.text(from: text))
            let place = "\(place).\(name)"
            switch name {
            case "id": result.id = try string(&reader, text, at: place) ?? []
            case "secret_file": result.secretFile = try string(&reader, text, at: place) ?? []
            case "not_before":
                if let time = try moment(&reader, text, at: place) { result.validity.notBefore = time }
            case "not_after": if let time = try moment(&reader, text, at: place) { result.validity.notAfter = time }
            default: try readMode(&reader, text, at: place, ModeParameters.Member(rawValue: name), into: &result)
            }
        }
    }

    /// Reads a member that belongs to the key's mode.
    private mutating func readMode(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String, _ member: ModeParameters.Member?,
        into key: inout Key
    ) throws(JSONFault) {
        switch member {
        case nil: try skipUnknown(&reader, text, at: place)
        case .secret: key.secret.text = try string(&reader, text, at: place) ?? []
        case .sha256: key.secret.digest = try string(&reader, text, at: place) ?? []
        case .user: key.secret.user = try string(&reader, text, at: place) ?? []
        case .tolerance: key.parameters.tolerance = try wholeNumber(&reader, text, at: place)
        case .plaintext: key.parameters.allowsPlaintext = try boolean(&reader, text, at: place)
        case .mode:
            key.parameters.mode = String(decoding: try string(&reader, text, at: place) ?? [], as: UTF8.self)
        case .header, .prefix, .encoding, .signed, .separator, .timestampHeader, .timestampFormat:
            guard let member, let value = try string(&reader, text, at: place) else { return }
            key.parameters.texts[member] = String(decoding: value, as: UTF8.self)
        }
    }
}

/// Why the file of a secret was not read.
package struct SecretReadFault: Error {
    package let description: String
    package init(description: String) { self.description = description }
}

extension Span<UInt8> {
    /// The number of the line that a byte is in, from 1.
    fileprivate func line(of offset: Int) -> Int {
        var line = 1
        for index in 0..<Swift.min(offset, count) where self[index] == .lineFeed { line += 1 }
        return line
    }
}
