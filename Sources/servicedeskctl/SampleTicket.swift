import Bytes
import JSON
import System
import Tenants
import Webhook

/// Valid tickets, each with an id of its own, as their sender would send them.
struct SampleTicket {
    /// What says whose ticket it is: a value, and the keys that lead to it.
    private let owner: (keys: [String], value: String)?
    /// How the sender's payloads are mapped.
    private let profile: MappingProfile?
    /// Tells the tickets of this run from those of others.
    private let run: String
    private var count = 0

    /// For a tenant, or for the secret that all share.
    init(tenant: String) { self.init(owner: (["tenant_id"], tenant), profile: nil) }

    /// For a sender of the tenants file.
    init(sender: TenantsDocument.Owner, profile: MappingProfile?) {
        let from = sender.tree["tenant_from"]
        let owner = from?["tenants"]?.members?.first.flatMap { first in
            from?["path"]?.string.map { path in (path.split(separator: ".").map { String($0) }, first.name) }
        }
        self.init(owner: owner, profile: profile)
    }

    private init(owner: (keys: [String], value: String)?, profile: MappingProfile?) {
        (self.owner, self.profile) = (owner, profile)
        var random = RandomSource()
        let bytes = (0..<4).map { _ in random.next() }
        run = String(decoding: hexadecimal(bytes.span), as: UTF8.self).uppercased()
    }

    mutating func next() -> [UInt8] {
        count += 1
        var ticket: JSONTree = [:]
        for key in profile?.templateKeys ?? [] { ticket.set("sample", at: key.names) }
        for field in Field.allCases where field.isMapped {
            if let (keys, value) = place(of: field) { ticket.set(value, at: keys) }
        }
        if let owner { ticket.set(.string(owner.value), at: owner.keys) }
        return ticket.text
    }

    /// Where a field's value is to be, and the value; nil if the ticket needs none.
    private func place(of field: Field) -> (keys: [String], value: JSONTree)? {
        guard let profile else {
            return value(of: field, under: .none).map { (["\(field.name)"], .string($0)) }
        }
        guard let rule = profile.rules(for: field).first(where: { !$0.paths.isEmpty }),
            let value = value(of: field, under: rule.conversion)
        else { return nil }
        return (rule.paths[0].names, .string(value))
    }

    private func value(of field: Field, under conversion: FieldRule.Conversion) -> String? {
        switch (field, conversion) {
        case (.event, _): "ticket_created"
        case (.ticketID, _): "SAMPLE-\(run)-\(count)"
        case (.description, _): "A sample ticket of servicedeskctl"
        case (.priority, .priority(let table)): table.names.first ?? "low"
        case (.priority, _): "low"
        case (.createdAt, .epochMilliseconds): "\(TenantCommands.now * 1000)"
        case (.createdAt, _): Timestamp.text(TenantCommands.now)
        case (.correlationID, _): profile == nil ? nil : newUUID
        case (.tenantID, _): nil
        }
    }
}

/// A UUID of version 4.
private var newUUID: String {
    var random = RandomSource()
    var text: [UInt8] = []
    UUID(from: &random).append(to: &text)
    return String(decoding: text, as: UTF8.self)
}

extension JSONPath {
    fileprivate var names: [String] { keys.map { String(decoding: $0, as: UTF8.self) } }
}

extension JSONTree {
    /// Puts a value where the keys lead, through objects that are made if they are not there.
    fileprivate mutating func set(_ value: JSONTree, at keys: [String]) {
        guard keys.count > 1 else {
            self[keys[0]] = value
            return
        }
        var inner = self[keys[0]] ?? [:]
        if inner.members == nil { inner = [:] }
        inner.set(value, at: Array(keys.dropFirst()))
        self[keys[0]] = inner
    }
}
