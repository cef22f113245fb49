import ArgumentParser
import JSON
import Tenants
import Webhook

/// What `add` takes for tenants and senders alike.
struct AddOptions: ParsableArguments {
    @OptionGroup var mode: ModeOptions
    @Option(help: "The id of its first key (default: the date).") var keyID: String?
    @OptionGroup var secret: SecretOptions
    @OptionGroup var options: EditOptions

    /// Adds a tenant or a sender with a new key.
    ///
    /// - Parameter prepare: what else is done to the file before.
    func add(
        _ kind: OwnerKind, _ id: String, members: [(name: String, value: JSONTree)] = [], creating: Bool = false,
        _ prepare: (inout TenantsDocument) throws -> Void = { _ in }
    ) throws {
        guard Ticket.isTenantID(Array(id.utf8).span) else {
            throw ValidationError("the id of a \(kind) has 1 to \(Field.tenantID.limit) of a-z, 0-9 and -")
        }
        let template = mode.template ?? KeyTemplate(mode: ServiceDeskMode.name, parameters: [])
        let key = keyID ?? TenantsDocument.newKeyID(at: TenantCommands.now)
        let new = try secret.source()(template.mode)
        try options.edit(creating: creating) { document in
            try prepare(&document)
            try document.add(kind, id, members: members, keys: [template.key(id: key, new)])
        } announce: {
            try secret.announce(kind, id, key: key, mode: template.mode, new, options)
        }
    }
}

/// `servicedeskctl tenant add ID`
struct AddTenant: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds a tenant with one key, and prints the key's secret.",
        discussion: """
            A file that does not exist is created, readable by its owner alone. In the modes token and basic, the file \
            gets only the SHA-256 of the secret.

            \(TenantCommands.statuses)
            """)

    @Argument(help: "The tenant's id.") var id: String
    @OptionGroup var options: AddOptions

    func run() throws { try options.add(.tenant, id, creating: true) }
}

/// `servicedeskctl sender add ID --tenant TENANT`
struct AddSender: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds a sender with one key, and prints the key's secret.",
        discussion: """
            Its tickets belong to one tenant (--tenant), or to the one that a value in the payload stands for \
            (--tenant-from with a --map for each value).

            \(TenantCommands.statuses)
            """)

    @Argument(help: "The sender's id, the end of its path: /webhook/servicedesk/ID.") var id: String
    @Option(help: "The tenant that all its tickets belong to.", completion: .ids(of: .tenant)) var tenant: String?
    @Option(help: "Where in the payload the value is that determines the tenant, such as account.name.")
    var tenantFrom: String?
    @Option(help: "A value and its tenant, VALUE=TENANT; any number of times.") var map: [String] = []
    @Option(
        help:
            "How its payloads are mapped: a profile of the file, or one of \(MappingProfile.shippedIDs.joined(separator: ", ")).",
        completion: .list(MappingProfile.shippedIDs))
    var profile: String?
    @Flag(help: "Also add the tenants that the file does not have, without keys of their own.") var newTenants = false
    @OptionGroup var options: AddOptions

    func validate() throws {
        guard (tenant == nil) != (tenantFrom == nil) else { throw ValidationError("give --tenant or --tenant-from") }
        guard (tenantFrom == nil) == map.isEmpty else {
            throw ValidationError("--tenant-from and --map need each other")
        }
        for text in map where !text.contains("=") { throw ValidationError("--map expects VALUE=TENANT") }
    }

    /// A tenant's id has no equals sign; a value may have some.
    private var tenants: [(name: String, value: JSONTree)] {
        map.compactMap { text in
            text.lastIndex(of: "=").map { (String(text[..<$0]), .string(String(text[text.index(after: $0)...]))) }
        }
    }

    func run() throws {
        let route: (name: String, value: JSONTree) =
            tenant.map { ("tenant", .string($0)) }
            ?? ("tenant_from", ["path": .string(tenantFrom ?? ""), "tenants": .object(tenants)])
        let reached = tenant.map { [$0] } ?? tenants.compactMap(\.value.string)
        let mapping = profile.map { [(name: "profile", value: JSONTree.string($0))] } ?? []
        try options.add(.sender, id, members: [route] + mapping) { document in
            var known = Set(document.owners(.tenant).map(\.id))
            for id in reached where known.insert(id).inserted {
                guard newTenants else {
                    throw EditRefusal(
                        "the file has no tenant \(id): `tenant add` adds it, or --new-tenants without keys")
                }
                try document.add(.tenant, id, keys: [])
            }
        }
    }
}
