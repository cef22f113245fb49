import ArgumentParser
import JSON
import System
import Tenants
import Webhook

/// What the commands for tenants and for senders have in common.
enum TenantCommands {
    /// The exit status if the file was changed, but a responder does not use it yet, or the change may not last.
    static let changedInPart: Int32 = 2

    static let statuses = """
        Exit status: 0 when it is done; 1 when nothing was changed, with the reason on standard error; \
        \(changedInPart) when the file was changed, but not every responder uses it yet, or a crash of the machine could \
        undo the change; 64 for arguments that make no sense.
        """

    static let editing = """
        The file must be JSON. It is replaced as a whole and keeps its owner, group and mode; what an edit does not \
        concern keeps its order. Nothing is changed if the result has a fault. A new secret is printed once, and is all \
        that is printed on standard output.

        \(statuses)
        """

    /// Seconds since 1970.
    static var now: Int { Int(WallClock.now.microseconds / 1_000_000) }

    /// Reports that a file was changed, but may not stay so.
    static func complain(of doubt: SystemError, about path: String) {
        StandardStreams.complain("\(path) was changed, but a crash of the machine could undo that (\(doubt))")
    }
}

/// Edits the file, and reports it.
struct EditOptions: ParsableArguments {
    @OptionGroup var file: TenantsFileOptions
    @OptionGroup var waiting: WaitOptions
    @Flag(help: "Print what was done as JSON.") var json = false

    /// Edits the file, and waits until the responders use it.
    ///
    /// - Parameter announce: prints the result, just before the file is replaced.
    func edit(
        creating: Bool = false, _ change: (inout TenantsDocument) throws -> Void, announce: () throws -> Void
    ) throws {
        let store = try file.store()
        let outcome = try store.edit(creating: creating, change, announce: announce)
        if outcome.isNew {
            StandardStreams.complain(
                "\(store.path) is new, and only this user can read it: chown it if the responders run as another")
        }
        for line in outcome.headerLines {
            StandardStreams.complain("the file names a header that nginx's pass.conf may lack: \(line)")
        }
        if let doubt = outcome.doubt { TenantCommands.complain(of: doubt, about: store.path) }
        try waiting.waitForResponders(file)
        if outcome.doubt != nil { throw ExitCode(TenantCommands.changedInPart) }
    }

    /// Prints members if JSON is wanted.
    func announce(_ kind: OwnerKind, _ members: [(name: String, value: JSONTree)]) throws {
        guard json else { return }
        try StandardStreams.write(line: JSONTree.object(members + [("kind", .string(kind.rawValue))]).text)
    }
}

/// Where the secret of a new key comes from.
struct SecretOptions: ParsableArguments {
    @Flag(help: "Take the secret from standard input, since the sender has made it, and print none.")
    var secretFromStdin = false

    /// Makes a secret for a mode. Standard input is read at once, before the file is locked.
    func source() throws -> (_ mode: String) throws -> NewSecret {
        guard secretFromStdin else { return { mode in try NewSecret.make(mode: mode) } }
        var bytes = try StandardStreams.read()
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        let given = bytes
        return { mode in try NewSecret(given: given, mode: mode) }
    }

    /// Prints what was made of a new key: the secret alone, or everything as JSON.
    func announce(
        _ kind: OwnerKind, _ id: String, key: String, mode: String, _ secret: NewSecret, _ options: EditOptions,
        more: [(name: String, value: JSONTree)] = []
    ) throws {
        if !options.json && !secretFromStdin { try StandardStreams.write(line: Array(secret.text.utf8)) }
        let shown: [(name: String, value: JSONTree)] = secretFromStdin ? [] : [("secret", .string(secret.text))]
        try options.announce(
            kind, [("id", .string(id)), ("key", .string(key))] + shown + [("mode", .string(mode))] + more)
    }
}

/// `servicedeskctl tenant add|rotate|retire|limit|remove|list|convert`
struct TenantCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenant", abstract: "Lists and edits the tenants of the tenants file, and their keys.",
        discussion: TenantCommands.editing,
        subcommands: [
            AddTenant.self, RotateKey<TenantGroup>.self, RetireKey<TenantGroup>.self, LimitTenant.self,
            RemoveTenant.self, ListKeys<TenantGroup>.self, Convert.self,
        ])
}

/// `servicedeskctl sender add|profile|rotate|retire|remove|list`
struct SenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sender",
        abstract: "Lists and edits the senders of the tenants file, which have a path of their own, and their keys.",
        discussion: TenantCommands.editing,
        subcommands: [
            AddSender.self, SenderProfile.self, RotateKey<SenderGroup>.self, RetireKey<SenderGroup>.self,
            RemoveSender.self,
            ListKeys<SenderGroup>.self,
        ])
}

/// Whether a command is for tenants or for senders.
protocol OwnerGroup { static var kind: OwnerKind { get } }

enum TenantGroup: OwnerGroup { static let kind = OwnerKind.tenant }
enum SenderGroup: OwnerGroup { static let kind = OwnerKind.sender }
