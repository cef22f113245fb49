import ArgumentParser
import JSON
import System
import Tenants
import Webhook

/// What the commands for tenants and for senders have in common.
enum TenantCommands {
    /// The exit status if the file was changed, and a responder does not use it yet.
    static let notReloaded: Int32 = 2

    static let statuses = """
        Exit status: 0 when it is done; 1 when nothing was changed, with the reason on standard error; \
        \(notReloaded) when the file was changed and not every responder uses it yet; 64 for arguments that make no sense.
        """

    static let editing = """
        The file must be JSON. It is replaced as a whole and keeps its owner, group and mode; what an edit does not \
        concern keeps its order. Nothing is changed if the result has a fault. A new secret is printed once, on standard \
        output, and nothing else is.

        \(statuses)
        """

    /// Seconds since 1970.
    static var now: Int { Int(WallClock.now.microseconds / 1_000_000) }

    /// Prints what was made of a new key: the secret alone, or everything as JSON.
    static func announce(
        _ kind: OwnerKind, _ id: String, key: String, mode: String, _ secret: NewSecret, json: Bool,
        more: [(name: String, value: JSONTree)] = []
    ) throws {
        guard json else { return try StandardStreams.write(line: Array(secret.text.utf8)) }
        let members: [(name: String, value: JSONTree)] = [
            ("id", .string(id)), ("key", .string(key)), ("secret", .string(secret.text)),
            ("kind", .string(kind.rawValue)), ("mode", .string(mode)),
        ]
        try StandardStreams.write(line: JSONTree.object(members + more).text)
    }
}

/// `servicedeskctl tenant add|rotate|retire|list|convert`
struct TenantCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenant", abstract: "Lists and edits the tenants of the tenants file, and their keys.",
        discussion: TenantCommands.editing,
        subcommands: [
            AddTenant.self, RotateKey<TenantGroup>.self, RetireKey<TenantGroup>.self, ListKeys<TenantGroup>.self,
            Convert.self,
        ])
}

/// `servicedeskctl sender add|rotate|retire|list`
struct SenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sender",
        abstract: "Lists and edits the senders of the tenants file, which have a path of their own, and their keys.",
        discussion: TenantCommands.editing,
        subcommands: [
            AddSender.self, RotateKey<SenderGroup>.self, RetireKey<SenderGroup>.self, ListKeys<SenderGroup>.self,
        ])
}

/// Whether a command is for tenants or for senders.
protocol OwnerGroup { static var kind: OwnerKind { get } }

enum TenantGroup: OwnerGroup { static let kind = OwnerKind.tenant }
enum SenderGroup: OwnerGroup { static let kind = OwnerKind.sender }
