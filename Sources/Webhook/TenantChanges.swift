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
    package internal(set) var keys = Counts()

    package init() {}

    package var description: String { "tenants: \(tenants); keys: \(keys)" }
}

extension TenantTable {
    /// What has changed since another table. A tenant has changed if it was made active or inactive, a key if its secret
    /// or its times are others.
    package func changes(since old: TenantTable) -> TenantChanges {
        var changes = TenantChanges()
        var kept = (tenants: 0, keys: 0)
        forEachTenant { id, isActive, keys in
            guard let (oldKeys, wasActive) = old.keys(of: id) else {
                changes.tenants.added += 1
                changes.keys.added += keys.count
                return
            }
            kept.tenants += 1
            if isActive != wasActive { changes.tenants.changed += 1 }
            for key in keys {
                guard let oldKey = oldKeys.first(where: { old.id(ofKey: $0) == self.id(ofKey: key) }) else {
                    changes.keys.added += 1
                    continue
                }
                kept.keys += 1
                if !isKey(key, equalTo: oldKey, of: old) { changes.keys.changed += 1 }
            }
        }
        changes.tenants.removed = old.count - kept.tenants
        changes.keys.removed = old.keyCount - kept.keys
        return changes
    }
}
