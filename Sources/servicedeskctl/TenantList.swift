import ArgumentParser
import JSON
import System
import Tenants
import Webhook

/// When keys were last used, as the responders note it.
struct UsesOfKeys {
    private let uses: [KeyUses.Name: KeyUses.Use]

    /// Nothing is known without the directory, or if it cannot be read, which is complained of.
    init(_ file: TenantsFileOptions) throws {
        guard let directory = try file.runtimeDirectory() else {
            uses = [:]
            return
        }
        do throws(SystemError) {
            uses = try KeyUses.read(directory: directory)
        } catch {
            StandardStreams.complain("warning: the uses of keys cannot be read from \(directory) (\(error))")
            uses = [:]
        }
    }

    /// Nil if nothing is known: only keys that are one of several are noted.
    func use(of key: String, _ kind: OwnerKind, _ id: String) -> KeyUses.Use? {
        let digest = TenantTable.digest(isSender: kind == .sender, owner: Array(id.utf8), key: Array(key.utf8))
        return uses[KeyUses.Name(digest: digest.span)]
    }
}

/// `servicedeskctl tenant list [ID]`
struct ListKeys<Group: OwnerGroup>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "list", abstract: "Prints a line for each key of the \(Group.kind)s, or of one.",
            discussion: """
                Columns, separated by tabs: the \(Group.kind)'s id, the key's id, its mode, whether it is accepted, and \
                its last use: `used` and a time; `unused since` the time from which every use was noted; or `unknown`. Only \
                uses of keys that are one of several are noted, and only in the directory in which the responders share \
                their counters. With --json a tenant has the limit that counts for it, too.

                \(TenantCommands.statuses)
                """)
    }

    @Argument(help: "The id (default: all).", completion: .ids(of: Group.kind)) var id: String?
    @OptionGroup var file: TenantsFileOptions
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let document = try file.store().read().document
        let owners = try id.map { [try document.owner(Group.kind, $0)] } ?? document.owners(Group.kind)
        let uses = try UsesOfKeys(file)
        let now = TenantCommands.now
        guard !json else {
            let rows = owners.map { owner in
                owner.row(document.limit(of: owner), owner.keys.map { $0.row(at: now, use(of: $0, owner, uses)) })
            }
            return try StandardStreams.write(line: JSONTree.array(rows).text)
        }
        var lines: [String] = []
        for owner in owners {
            if owner.keys.isEmpty { lines.append("\(owner.id)\t-\t-\t\(owner.isActive ? "active" : "inactive")\t-") }
            for key in owner.keys {
                let state = owner.isActive ? key.state(at: now).text : "inactive"
                let use = use(of: key, owner, uses)?.text ?? "unknown"
                lines.append("\(owner.id)\t\(key.id)\t\(key.mode)\t\(state)\t\(use)")
            }
        }
        guard !lines.isEmpty else { return }
        try StandardStreams.write(line: Array(lines.joined(separator: "\n").utf8))
    }

    private func use(
        of key: TenantsDocument.Key, _ owner: TenantsDocument.Owner, _ uses: UsesOfKeys
    ) -> KeyUses.Use? {
        uses.use(of: key.id, owner.kind, owner.id)
    }
}

extension TenantsDocument.Owner {
    fileprivate func row(_ limit: JSONTree?, _ keys: [JSONTree]) -> JSONTree {
        var row: JSONTree = ["id": .string(id), "kind": .string(kind.rawValue), "active": .boolean(isActive)]
        for name in ["tenant", "tenant_from", "profile"] { row[name] = tree[name] }
        row["limit"] = limit
        row["keys"] = .array(keys)
        return row
    }
}

extension TenantsDocument.Key {
    fileprivate func row(at now: Int, _ use: KeyUses.Use?) -> JSONTree {
        var row: JSONTree = ["id": .string(id), "mode": .string(mode), "accepted": .boolean(isAccepted(at: now))]
        for name in ["not_before", "not_after"] { row[name] = tree[name] }
        row["use"] = .string(use == nil ? "unknown" : use?.last == nil ? "unused" : "used")
        if let use { row["since"] = .string(Timestamp.text(use.since)) }
        if let last = use?.last { row["last_use"] = .string(Timestamp.text(last)) }
        return row
    }
}

extension TenantsDocument.Key.State {
    fileprivate var text: String {
        switch self {
        case .accepted(nil): "accepted"
        case .accepted(let end?): "accepted until \(Timestamp.text(end))"
        case .notYetValid(let start): "not before \(Timestamp.text(start))"
        case .expired(let end): "expired \(Timestamp.text(end))"
        }
    }
}

extension KeyUses.Use {
    fileprivate var text: String {
        last.map { "used \(Timestamp.text($0))" } ?? "unused since \(Timestamp.text(since))"
    }
}
