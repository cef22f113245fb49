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

    /// Checks whether `tag` is that of `body` under a secret of the tenant, or under the one for all.
    ///
    /// An unknown tenant takes as long as a known one: every check computes as many tags as the tenant with most
    /// secrets needs.
    ///
    /// - Parameter now: seconds since 1970.
    package func check(_ tag: Tag, of body: Span<UInt8>, tenant: [UInt8], at now: Int) -> SignatureVerdict {
        if let shared { return areEqual(shared.tag(of: body), tag) ? .accepted(key: nil) : .refused(.noKeyMatches) }
        guard let tenants else { return .refused(.noKeyMatches) }
        let found = tenants.keys(of: tenant.span)
        let keys = found?.indices ?? 0..<0
        var match: (key: Int, cause: RefusalCause?)?
        for round in 0..<tenants.mostKeys {
            if round < keys.count {
                tenants.setKey(keys.lowerBound + round, of: authenticator)
            } else {
                authenticator.setKey(decoy.span)
            }
            let isEqual = areEqual(authenticator.tag(of: body), tag)
            guard isEqual && round < keys.count else { continue }
            // A tenant may have a secret twice, with different times: any of them will do.
            let key = keys.lowerBound + round
            let cause = tenants.validity(ofKey: key).cause(at: now)
            if match == nil || cause == nil { match = (key, cause) }
        }
        guard let found else { return .refused(.unknownTenant) }
        guard let match else { return .refused(.noKeyMatches) }
        guard found.areActive else { return .refused(.inactiveTenant) }
        if let cause = match.cause { return .refused(cause) }
        return .accepted(key: match.key)
    }
}

/// The outcome of checking a signature.
package enum SignatureVerdict: Equatable {
    /// With the tenant's key at that index; nil for the secret that all share.
    case accepted(key: Int?)
    case refused(RefusalCause)
}

/// Why a request is answered 401. For the log: the response says only whether the header is missing.
package enum RefusalCause: Equatable, CaseIterable {
    case headerMissing, headerMalformed, unknownTenant, inactiveTenant, noKeyMatches, keyNotYetValid, keyExpired
    /// The payload names another tenant than the one that was found first.
    case otherTenant

    package var label: StaticString {
        switch self {
        case .headerMissing: "header missing"
        case .headerMalformed: "header malformed: expected 64 hexadecimal digits"
        case .unknownTenant: "tenant unknown"
        case .inactiveTenant: "tenant inactive"
        case .noKeyMatches: "no key matches"
        case .keyNotYetValid: "key not yet valid"
        case .keyExpired: "key expired"
        case .otherTenant: "the payload names another tenant"
        }
    }
}
