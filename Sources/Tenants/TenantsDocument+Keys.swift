import JSON
package import System
import Webhook

/// Adding keys, and taking them away.
extension TenantsDocument {
    /// What a rotation has done.
    package struct Rotation: Equatable {
        /// The new key.
        package let key: String
        /// The key whose mode it has, or nil if a mode was given.
        package let model: String?
        package let mode: String
        /// The older keys that are accepted only until then.
        package let limited: [String]
    }

    /// The id of a key that is made now: the date, or the date and a number.
    package static func newKeyID(beside keys: [Key] = [], at now: Int) -> String {
        let date = String(Timestamp.text(now).prefix(10))
        let ids = Set(keys.map(\.id))
        guard ids.contains(date) else { return date }
        var number = 2
        while ids.contains("\(date)-\(number)") { number += 1 }
        return "\(date)-\(number)"
    }

    /// Adds a key beside the others.
    ///
    /// - Parameters:
    ///   - template: nil for that of the newest key.
    ///   - makeSecret: is given the mode.
    ///   - end: until when the older keys are accepted, in seconds since 1970; nil if they stay as they are.
    package mutating func rotate(
        _ kind: OwnerKind, _ id: String, keyID: String?, template: KeyTemplate?, until end: Int?, at now: Int,
        _ makeSecret: (String) throws -> NewSecret
    ) throws -> Rotation {
        var keys = try owner(kind, id).keys
        guard keys.count < TenantsJSON.keyLimit else {
            throw EditRefusal("the \(kind) \(id) has \(keys.count) keys, which is the limit: retire one first")
        }
        let model = template == nil ? keys.newest : nil
        guard let template = template ?? model.map({ KeyTemplate(of: $0.tree) }) else {
            throw EditRefusal("the \(kind) \(id) has no key whose mode a new one could have: name the mode")
        }
        let newID = keyID ?? TenantsDocument.newKeyID(beside: keys, at: now)
        guard !keys.contains(where: { $0.id == newID }) else {
            throw EditRefusal("the \(kind) \(id) has a key \(newID) already")
        }
        var limited: [String] = []
        if let end {
            for index in keys.indices where keys[index].endsAfter(end) {
                keys[index].tree["not_after"] = .string(Timestamp.text(end))
                limited.append(keys[index].id)
            }
        }
        keys.append(Key(tree: template.key(id: newID, try makeSecret(template.mode))))
        try change(kind, id) { owner in owner.keys = keys }
        return Rotation(key: newID, model: model?.id, mode: template.mode, limited: limited)
    }

    /// Takes a key away.
    ///
    /// - Parameters:
    ///   - use: what is known of the key's uses.
    ///   - isForced: even if nothing else is accepted then, or the key is or may be in use.
    package mutating func retire(
        _ kind: OwnerKind, _ id: String, key keyID: String, use: KeyUses.Use?, at now: Int, isForced: Bool
    ) throws(EditRefusal) {
        try change(kind, id) { owner throws(EditRefusal) in
            guard let key = owner.keys.first(where: { $0.id == keyID }) else {
                throw EditRefusal("the \(kind) \(id) has no key \(keyID)")
            }
            let others = owner.keys.filter { $0.id != keyID }
            if !isForced {
                guard !key.isAccepted(at: now) || others.contains(where: { $0.isAccepted(at: now) }) else {
                    throw EditRefusal(
                        "\(keyID) is the only key of the \(kind) \(id) that is accepted now: rotate first; `\(kind) remove` removes the \(kind)"
                    )
                }
                if key.isAccepted(at: now), let reason = use?.doubt(at: now) { throw EditRefusal("\(keyID) \(reason)") }
            }
            owner.keys = others
        }
    }

    /// Takes a tenant or a sender away, with its keys.
    ///
    /// - Parameter isForced: even if one of its keys is accepted now.
    package mutating func remove(_ kind: OwnerKind, _ id: String, at now: Int, isForced: Bool) throws(EditRefusal) {
        let owner = try owner(kind, id)
        guard isForced || !owner.isActive || !owner.keys.contains(where: { $0.isAccepted(at: now) }) else {
            throw EditRefusal("the \(kind) \(id) has a key that is accepted now")
        }
        keep(kind) { $0.id != id }
    }

    /// Takes a sender away, and the tenants without keys that no other sender delivers for.
    package mutating func removeSenderAndTenants(_ id: String, at now: Int, isForced: Bool) throws(EditRefusal) {
        let reached = Set(try owner(.sender, id).tenants)
        try remove(.sender, id, at: now, isForced: isForced)
        let others = Set(owners(.sender).flatMap(\.tenants))
        keep(.tenant) { !$0.keys.isEmpty || !reached.contains($0.id) || others.contains($0.id) }
    }

    private mutating func keep(_ kind: OwnerKind, _ isKept: (Owner) -> Bool) {
        root[kind.member] = .array(owners(kind).filter(isKept).map(\.tree))
    }
}

extension KeyUses.Use {
    /// Seconds without a use after which a key counts as unused.
    private static let quietTime = 86_400

    /// Why the key may still be in use; nil if every use of the last day would be known, and there was none.
    fileprivate func doubt(at now: Int) -> String? {
        if let last {
            guard last > now - Self.quietTime else { return nil }
            return "was used within the last day, at \(Timestamp.text(last)): the sender still signs with it"
        }
        guard since > now - Self.quietTime else { return nil }
        return """
            may still be in use: its uses have been noted only since \(Timestamp.text(since)), and there was none; try again \
            after \(Timestamp.text(since + Self.quietTime)), or use --force if its sender has the new secret
            """
    }
}

extension TenantsDocument.Key {
    /// Whether a limit shortens the time in which it is accepted. A key that begins after the limit is not an older one.
    fileprivate func endsAfter(_ end: Int) -> Bool { (notAfter ?? .max) > end && (notBefore ?? .min) <= end }
}

extension [TenantsDocument.Key] {
    /// The one that begins last; of several, the one that ends last; of several, the last in the file.
    fileprivate var newest: TenantsDocument.Key? {
        reversed().max { a, b in
            (a.notBefore ?? .min, a.notAfter ?? .max) < (b.notBefore ?? .min, b.notAfter ?? .max)
        }
    }
}
