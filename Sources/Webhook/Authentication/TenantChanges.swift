import Bytes

/// How a table of tenants differs from the one before.
package struct TenantChanges: Equatable, Sendable, CustomStringConvertible {
    package struct Counts: Equatable, Sendable, CustomStringConvertible {
        package internal(set) var added = 0
        package internal(set) var removed = 0
        package internal(set) var changed = 0

        package var description: String { "\(added) added, \(removed) removed, \(changed) changed" }
    }

    package internal(set) var tenants = Counts()
    /// Nil where neither table has senders.
    package internal(set) var senders: Counts?
    package internal(set) var keys = Counts()

    package init() {}

    package var description: String {
        let senders = senders.map { "senders: \($0); " } ?? ""
        return "tenants: \(tenants); \(senders)keys: \(keys)"
    }
}

extension TenantTable {
    /// What has changed since another table. A tenant has changed if it was made active or inactive, or has another limit,
    /// a sender also if its tickets go to other tenants or are mapped otherwise, a key if its secret, its mode or its times
    /// are others.
    package func changes(since old: TenantTable) -> TenantChanges {
        var keys = TenantChanges.Counts()
        var owners = [false: TenantChanges.Counts(), true: TenantChanges.Counts()]
        var kept = (tenants: 0, senders: 0, keys: 0)
        forEachOwner { id, isSender, owner in
            guard let before = old.owner(id, isSender: isSender) else {
                owners[isSender]?.added += 1
                keys.added += owner.keys.count
                return
            }
            if isSender { kept.senders += 1 } else { kept.tenants += 1 }
            if owner.isActive != before.isActive || route(of: owner) != old.route(of: before)
                || profile(of: owner) != old.profile(of: before)
                || limit(of: owner) != old.limit(of: before)
            {
                owners[isSender]?.changed += 1
            }
            for key in owner.keys {
                guard let oldKey = before.keys.first(where: { old.id(ofKey: $0) == self.id(ofKey: key) }) else {
                    keys.added += 1
                    continue
                }
                kept.keys += 1
                if !isKey(key, equalTo: oldKey, of: old) { keys.changed += 1 }
            }
        }
        var changes = TenantChanges()
        changes.tenants = owners[false] ?? TenantChanges.Counts()
        changes.tenants.removed = old.count - kept.tenants
        if senderCount + old.senderCount > 0 {
            changes.senders = owners[true]
            changes.senders?.removed = old.senderCount - kept.senders
        }
        changes.keys = keys
        changes.keys.removed = old.keyCount - kept.keys
        return changes
    }
}
