package import JSON
package import Webhook

extension TenantsDocument {
    /// Sets the limit of a tenant, or that of all tenants that have none of their own; nil removes it.
    package mutating func limit(tenant id: String?, to limit: RateLimit?) throws(EditRefusal) {
        guard let id else {
            root["limit"] = limit?.tree
            return
        }
        try change(.tenant, id) { owner in owner.limit = limit?.tree }
    }

    /// The limit that counts for a tenant, as the file has it.
    package func limit(of owner: Owner) -> JSONTree? {
        owner.kind == .tenant ? owner.limit ?? root["limit"] : nil
    }
}

extension RateLimit {
    /// `{"per_second": 0.5, "burst": 100}`
    package var tree: JSONTree {
        ["per_second": .numeral(perSecond), "burst": .number(burst)]
    }
}
