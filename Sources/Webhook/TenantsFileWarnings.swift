import Bytes

/// What is odd about the secrets of a tenants file, though it can be used. Like a fault, a warning names neither tenants
/// nor secrets.
struct TenantsFileWarnings {
    /// Warnings of one kind that are told.
    private static let limit = 5

    private var quoted: [String] = []
    private var shared: [String] = []
    /// Of each secret, by its digest: its tenant, and where it was first.
    private var owners: [[UInt8]: (tenant: Int, place: String)] = [:]

    var told: [String] {
        [
            TenantsFileWarnings.line(
                quoted, "a secret stands in quotes, which are part of it; remove them if they are not meant"),
            TenantsFileWarnings.line(shared, "tenants share a secret; whoever knows it can sign for all of them"),
        ].compactMap { $0 }
    }

    private static func line(_ places: [String], _ warning: String) -> String? {
        guard !places.isEmpty else { return nil }
        let rest = places.count - limit
        let more = rest > 0 ? " and \(rest) more" : ""
        return "\(places.prefix(limit).joined(separator: ", "))\(more): \(warning)"
    }

    /// Looks for quotes, and for other tenants with the same secret.
    mutating func look(at secret: Span<UInt8>, of place: String, tenant: Int) {
        lookForQuotes(in: secret, at: place)
        var fingerprint: [UInt8] = []
        fingerprint.append(hex: digest(of: secret))
        guard let owner = owners[fingerprint] else {
            owners[fingerprint] = (tenant, place)
            return
        }
        if owner.tenant != tenant { shared.append("\(owner.place) and \(place)") }
    }

    mutating func lookForQuotes(in secret: Span<UInt8>, at place: String) {
        if secret.standsInQuotes { quoted.append(place) }
    }
}

extension Span<UInt8> {
    /// Whether it begins and ends with the same kind of quotation mark, as `docker --env-file` keeps them.
    package var standsInQuotes: Bool {
        count >= 2 && self[0] == self[count - 1] && (self[0] == .quote || self[0] == UInt8(ascii: "'"))
    }
}
