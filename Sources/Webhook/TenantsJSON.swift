import Bytes
import COpenSSL
import JSON

/// The tenants file as JSON:
///
///     {"tenants": [{"id": "acme", "active": true, "keys": [
///         {"id": "2026-11", "mode": "servicedesk", "secret": "…", "not_before": "2026-11-01T00:00:00Z"},
///         {"id": "2025-04", "mode": "servicedesk", "secret_file": "/etc/servicedesk/acme", "not_after": "…"}]}]}
///
/// It is checked as a whole; each fault is reported with its place.
package struct TenantsJSON {
    /// Keys of one tenant, at most.
    package static let keyLimit = 8
    /// Characters of a key's id, at most.
    package static let keyIDLimit = 64
    /// The ways in which a sender proves who it is.
    package static let modes = ["servicedesk"]

    struct Tenant {
        var id: [UInt8] = []
        var isActive = true
        var keys: [Key] = []
        /// False: nothing else is known of it, and that is the fault.
        var isObject = false
    }

    struct Key {
        var id: [UInt8] = []
        var mode: [UInt8] = []
        var secret: [UInt8]?
        var secretFile: [UInt8]?
        var validity = KeyValidity()
        /// False: nothing else is known of it, and that is the fault.
        var isObject = false
    }

    var faults = TenantsFileFault()
    var tenants: [Tenant] = []
    let readSecret: (String) -> Result<[UInt8], SecretReadFault>

    /// Reads the text.
    ///
    /// - Parameter readSecret: reads the file that a `secret_file` names.
    package static func parse(
        _ text: Span<UInt8>, readSecret: @escaping (String) -> Result<[UInt8], SecretReadFault>
    ) throws(TenantsFileFault) -> TenantTable {
        var parser = TenantsJSON(readSecret: readSecret)
        defer { parser.wipe() }
        do throws(JSONFault) {
            try parser.read(text)
        } catch {
            parser.faults = TenantsFileFault()
            parser.faults.add("\(error.kind.rawValue) in line \(text.line(of: error.offset))")
            throw parser.faults
        }
        parser.check()
        guard parser.faults.isEmpty else { throw parser.faults }
        return parser.table()
    }

    private init(readSecret: @escaping (String) -> Result<[UInt8], SecretReadFault>) { self.readSecret = readSecret }

    private mutating func wipe() {
        for tenant in tenants.indices {
            for key in tenants[tenant].keys.indices { tenants[tenant].keys[key].secret?.wipe() }
        }
    }

    // MARK: Reading

    private mutating func read(_ text: Span<UInt8>) throws(JSONFault) {
        var reader = JSONReader()
        var hasTenants = false
        try reader.beginObject(in: text)
        while let key = try reader.nextKey(in: text) {
            let name = key.text(from: text)
            guard name == Array("tenants".utf8), !hasTenants else {
                faults.add("\(place(name)): \(name == Array("tenants".utf8) ? "occurs twice" : "unknown member")")
                try reader.skipValue(in: text)
                continue
            }
            hasTenants = true
            try readArray(&reader, text, at: "tenants") { parser, reader, place throws(JSONFault) in
                try parser.readTenant(&reader, text, at: place)
            }
        }
        try reader.end(in: text)
        if tenants.isEmpty && faults.isEmpty { faults.add("tenants: expected at least one") }
    }

    private mutating func readTenant(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) {
        tenants.append(Tenant())
        let index = tenants.count - 1
        guard try isObject(&reader, text, at: place) else { return }
        tenants[index].isObject = true
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            let name = key.text(from: text)
            let place = "\(place).\(self.place(name))"
            switch String(decoding: name, as: UTF8.self) {
            case "id": tenants[index].id = try string(&reader, text, at: place) ?? []
            case "active": if let value = try boolean(&reader, text, at: place) { tenants[index].isActive = value }
            case "keys":
                try readArray(&reader, text, at: place) { parser, reader, place throws(JSONFault) in
                    try parser.readKey(&reader, text, at: place)
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
        defer { tenants[tenants.count - 1].keys.append(result) }
        guard try isObject(&reader, text, at: place) else { return }
        result.isObject = true
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            let name = key.text(from: text)
            let place = "\(place).\(self.place(name))"
            switch String(decoding: name, as: UTF8.self) {
            case "id": result.id = try string(&reader, text, at: place) ?? []
            case "mode": result.mode = try string(&reader, text, at: place) ?? []
            case "secret": result.secret = try string(&reader, text, at: place) ?? []
            case "secret_file": result.secretFile = try string(&reader, text, at: place) ?? []
            case "not_before":
                if let time = try moment(&reader, text, at: place) { result.validity.notBefore = time }
            case "not_after": if let time = try moment(&reader, text, at: place) { result.validity.notAfter = time }
            default: try skipUnknown(&reader, text, at: place)
            }
        }
    }

    // MARK: Values

    private mutating func readArray(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String,
        _ element: (inout TenantsJSON, inout JSONReader, String) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        guard try reader.type(in: text) == .array else {
            faults.add("\(place): expected an array")
            return try reader.skipValue(in: text)
        }
        try reader.readElements(in: text) { reader, index throws(JSONFault) in
            try element(&self, &reader, "\(place)[\(index)]")
        }
    }

    private mutating func isObject(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Bool {
        if try reader.type(in: text) == .object { return true }
        faults.add("\(place): expected an object")
        try reader.skipValue(in: text)
        return false
    }

    private mutating func string(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> [UInt8]? {
        if try reader.type(in: text) == .string { return try reader.string(in: text).text(from: text) }
        faults.add("\(place): expected a string")
        try reader.skipValue(in: text)
        return nil
    }

    private mutating func boolean(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Bool? {
        let isBoolean = try reader.type(in: text) == .boolean
        let isTrue = text[reader.position] == UInt8(ascii: "t")
        if !isBoolean { faults.add("\(place): expected true or false") }
        try reader.skipValue(in: text)
        return isBoolean ? isTrue : nil
    }

    private mutating func moment(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Int? {
        guard let value = try string(&reader, text, at: place) else { return nil }
        if Timestamp.isDateTime(value.span) { return Timestamp.seconds(of: value.span) }
        faults.add("\(place): expected an RFC 3339 date-time with an offset")
        return nil
    }

    private mutating func skipUnknown(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) {
        faults.add("\(place): unknown member")
        try reader.skipValue(in: text)
    }

    /// A key of the file, for the name of a place. It may hold anything; what is told of it is too short for a secret.
    private func place(_ name: [UInt8]) -> String {
        let isPlain =
            (1..<Secrets.minimumLength).contains(name.count)
            && name.allSatisfy { $0.isLowercaseLetter || $0 == UInt8(ascii: "_") }
        return isPlain ? String(decoding: name, as: UTF8.self) : "(a member of another name)"
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

extension [UInt8] {
    fileprivate mutating func wipe() {
        unsafe withUnsafeMutableBytes { bytes in unsafe OPENSSL_cleanse(bytes.baseAddress, bytes.count) }
    }
}
