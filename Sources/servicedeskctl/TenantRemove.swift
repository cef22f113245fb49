import ArgumentParser
import JSON
import Tenants

/// `servicedeskctl tenant remove ID`
struct RemoveTenant: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes a tenant with its keys.",
        discussion: """
            One whose keys are accepted now is removed only with --force; one that a sender delivers for is not removed.

            \(TenantCommands.statuses)
            """)

    @Argument(help: "The tenant's id.", completion: .ids(of: .tenant)) var id: String
    @Flag(help: "Remove it even if one of its keys is accepted now.") var force = false
    @OptionGroup var options: EditOptions

    func run() throws {
        try options.edit { document in
            try document.remove(.tenant, id, at: TenantCommands.now, isForced: force)
        } announce: {
            try options.announce(.tenant, [("id", .string(id))])
        }
    }
}

/// `servicedeskctl sender remove ID`
struct RemoveSender: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes a sender with its keys.",
        discussion: """
            One whose keys are accepted now is removed only with --force. A tenant without keys must have a sender: \
            --with-tenants removes those that no other sender delivers for.

            \(TenantCommands.statuses)
            """)

    @Argument(help: "The sender's id.", completion: .ids(of: .sender)) var id: String
    @Flag(help: "Remove it even if one of its keys is accepted now.") var force = false
    @Flag(help: "Also remove the tenants without keys that no other sender delivers for.") var withTenants = false
    @OptionGroup var options: EditOptions

    func run() throws {
        try options.edit { document in
            let now = TenantCommands.now
            if withTenants {
                try document.removeSenderAndTenants(id, at: now, isForced: force)
            } else {
                try document.remove(.sender, id, at: now, isForced: force)
            }
        } announce: {
            try options.announce(.sender, [("id", .string(id))])
        }
    }
}
