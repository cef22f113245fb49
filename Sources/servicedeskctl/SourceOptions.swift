import ArgumentParser
import Bytes
import System
import Tenants
import Webhook

/// Whose payload is read, and so how it is mapped.
struct SourceOptions: ParsableArguments {
    @Option(help: "The sender whose profile and tenants are used.", completion: .ids(of: .sender)) var sender: String?
    @Option(
        help: "A shipped profile: \(MappingProfile.shippedIDs.joined(separator: ", ")).",
        completion: .list(MappingProfile.shippedIDs))
    var profile: String?
    @OptionGroup var tenants: TenantsPathOption
    @Flag(help: "The body is a form, with the JSON in one of its parameters.") var form = false

    /// Of the tickets that are read under a shipped profile.
    private static let tenant = "tenant"

    var isNamed: Bool { sender != nil || profile != nil }

    func validate() throws {
        guard sender == nil || profile == nil else { throw ValidationError("give --sender or --profile, not both") }
        guard isNamed || tenants.tenantsFile == nil && !form else {
            throw ValidationError("--tenants-file and --form need --sender or --profile")
        }
        if let profile, !MappingProfile.shippedIDs.contains(profile) {
            throw ValidationError("--profile is not one of \(MappingProfile.shippedIDs.joined(separator: ", "))")
        }
    }

    /// What a handler needs to know of the sender.
    func secrets() throws -> Secrets {
        guard let sender else { return Secrets(tenants: try table(of: profile ?? "")) }
        let table = try tenants.store().keyRing().table
        guard table.hasSender(Array(sender.utf8)) else {
            throw ValidationError("the tenants file has no sender \(sender)")
        }
        return Secrets(tenants: table)
    }

    var claimant: Claimant { Claimant(isSender: true, id: Array((sender ?? SourceOptions.tenant).utf8)) }

    /// A table of one sender with a shipped profile.
    private func table(of profile: String) throws -> TenantTable {
        var random = RandomSource()
        var secret: [UInt8] = []
        for _ in 0..<Secrets.minimumLength { secret.append(hex: random.next()) }
        let id = SourceOptions.tenant
        let text = """
            {"tenants": [{"id": "\(id)"}], "senders": [{"id": "\(id)", "tenant": "\(id)", "profile": "\(profile)",
            "keys": [{"id": "1", "mode": "servicedesk", "secret": "\(String(decoding: secret, as: UTF8.self))"}]}]}
            """
        let bytes = Array(text.utf8)
        return try TenantsJSON.parse(bytes.span) { _ in .failure(SecretReadFault(description: "")) }
    }

    /// The CGI variables of a request of the sender, which is not signed.
    var variables: [(String, [UInt8])] {
        [
            ("REQUEST_METHOD", Array("POST".utf8)),
            ("CONTENT_TYPE", Array((form ? "application/x-www-form-urlencoded" : "application/json").utf8)),
        ]
    }
}
