import Bytes

/// The signing secrets: one for all tenants, or some for each.
package struct Secrets {
    /// Bytes of a secret, at least: as many as the tag has.
    package static let minimumLength = 32

    private let shared: Authenticator?
    private let tenants: [[UInt8]: [[UInt8]]]
    /// A secret that nobody knows, for tenants that nobody knows.
    private let decoy: [UInt8]
    /// How many tags every check computes: as many as the tenant with most secrets needs.
    private let rounds: Int
    private let authenticator = Authenticator()

    /// One secret for all tenants.
    package init(shared secret: [UInt8]) {
        self.init(shared: Authenticator(key: secret.span), tenants: [:])
    }

    /// Secrets of each tenant; more than one while they are being changed.
    package init(tenants: [[UInt8]: [[UInt8]]]) {
        self.init(shared: nil, tenants: tenants)
    }

    private init(shared: Authenticator?, tenants: [[UInt8]: [[UInt8]]]) {
        self.shared = shared
        self.tenants = tenants
        var random = RandomSource()
        decoy = (0..<Secrets.minimumLength).map { _ in random.next() }
        rounds = max(1, tenants.values.lazy.map(\.count).max() ?? 1)
    }

    /// Whether a body must be asked for its tenant before its signature can be checked.
    package var arePerTenant: Bool { shared == nil }

    /// Whether `tag` is that of `body` under a secret of the tenant, or under the one for all.
    ///
    /// A tenant that is not known takes as long as one that is.
    package func accept(_ tag: Tag, of body: Span<UInt8>, tenant: [UInt8]) -> Bool {
        if let shared { return areEqual(shared.tag(of: body), tag) }
        let secrets = tenants[tenant] ?? []
        var isAccepted = false
        for round in 0..<rounds {
            let secret = round < secrets.count ? secrets[round] : decoy
            authenticator.setKey(secret.span)
            let isEqual = areEqual(authenticator.tag(of: body), tag)
            isAccepted = isAccepted || (isEqual && round < secrets.count)
        }
        return isAccepted
    }

    /// Reads a tenants file: a line for each tenant, its id and its secrets with white space between them, `#` before a
    /// comment. The faults name lines, never what is on them.
    package static func parse(_ text: [UInt8]) -> (tenants: [[UInt8]: [[UInt8]]], faults: [String]) {
        var tenants: [[UInt8]: [[UInt8]]] = [:]
        var faults: [String] = []
        for (index, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }.map { [UInt8]($0) }
            guard let tenant = words.first, tenant.first != 0x23 else { continue }
            let secrets = Array(words.dropFirst().prefix { $0.first != 0x23 })
            if !Ticket.isTenantID(tenant.span) {
                faults.append("line \(index + 1): a tenant id is 1 to 100 of a-z, 0-9 and -")
            } else if !(1...3).contains(secrets.count) {
                faults.append("line \(index + 1): a tenant has 1 to 3 secrets, not \(secrets.count)")
            } else if secrets.contains(where: { $0.count < minimumLength }) {
                faults.append("line \(index + 1): a secret has at least \(minimumLength) bytes")
            } else if tenants.updateValue(secrets, forKey: tenant) != nil {
                faults.append("line \(index + 1): the tenant occurs twice")
            }
        }
        if tenants.isEmpty && faults.isEmpty { faults.append("it names no tenant") }
        return (tenants, faults)
    }
}
