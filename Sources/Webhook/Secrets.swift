import Bytes

/// The signing secrets: one for all tenants, or some for each.
package struct Secrets {
    /// Bytes of a secret, at least: as many as the tag has.
    package static let minimumLength = 32

    private let shared: Authenticator?
    package let tenants: TenantTable?
    /// A random key, for unknown tenants.
    private var decoy: [UInt8] = []
    private let authenticator = Authenticator()

    /// One secret for all tenants.
    package init(shared secret: [UInt8]) {
        self.init(shared: Authenticator(key: secret.span), tenants: nil)
    }

    /// Secrets of each tenant; more than one while they are being changed.
    package init(tenants: TenantTable) {
        self.init(shared: nil, tenants: tenants)
    }

    private init(shared: Authenticator?, tenants: TenantTable?) {
        self.shared = shared
        self.tenants = tenants
        var random = RandomSource()
        let secret = (0..<Secrets.minimumLength).map { _ in random.next() }
        SigningKey.append(of: secret.span, to: &decoy)
    }

    /// Whether the tenant must be found in the body before the signature can be checked.
    package var arePerTenant: Bool { tenants != nil }

    /// Whether `tag` is that of `body` under a secret of the tenant, or under the one for all.
    ///
    /// An unknown tenant takes as long as a known one: every check computes as many tags as the tenant with most
    /// secrets needs.
    package func accept(_ tag: Tag, of body: Span<UInt8>, tenant: [UInt8]) -> Bool {
        if let shared { return areEqual(shared.tag(of: body), tag) }
        guard let tenants else { return false }
        let keys = tenants.keyIndices(of: tenant.span)
        var isAccepted = false
        for round in 0..<tenants.mostKeys {
            if round < keys.count {
                tenants.setKey(keys.lowerBound + round, of: authenticator)
            } else {
                authenticator.setKey(decoy.span)
            }
            let isEqual = areEqual(authenticator.tag(of: body), tag)
            isAccepted = isAccepted || (isEqual && round < keys.count)
        }
        return isAccepted
    }
}
