import ArgumentParser
import JSON
import System
import Tenants
import Webhook

/// `servicedeskctl tenant rotate ID`
struct RotateKey<Group: OwnerGroup>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "rotate", abstract: "Adds a key beside those of a \(Group.kind), and prints its secret.",
            discussion: """
                The new key has the mode of the newest key: the one that begins last; if there are several, the one of \
                them that ends last; if there are still several, the last in the file. Older keys are accepted until \
                `retire` removes them, or for as long as --keep or --until says. When the command returns, every \
                responder accepts the new key.

                \(TenantCommands.statuses)
                """)
    }

    @Argument(help: "The id.", completion: .ids(of: Group.kind)) var id: String
    @Option(help: "Accept the older keys only for this long, such as 90s, 30m, 24h, 7d.") var keep: String?
    @Option(help: "Accept the older keys only until this time, such as 2026-12-31T23:59:59Z.") var until: String?
    @Option(help: "The id of the new key (default: the date).") var keyID: String?
    @OptionGroup var mode: ModeOptions
    @OptionGroup var secret: SecretOptions
    @OptionGroup var options: EditOptions

    func validate() throws { _ = try end(at: TenantCommands.now) }

    /// The end of the older keys.
    private func end(at now: Int) throws -> Int? {
        guard keep == nil || until == nil else { throw ValidationError("give --keep or --until, not both") }
        if let keep {
            guard let seconds = KeepTime.seconds(keep) else {
                throw ValidationError("--keep expects a whole number and s, m, h or d, such as 7d")
            }
            return now + seconds
        }
        guard let until else { return nil }
        let text = Array(until.utf8)
        guard Timestamp.isDateTime(text.span) else {
            throw ValidationError("--until expects an RFC 3339 date-time with an offset, such as 2026-12-31T23:59:59Z")
        }
        let end = Timestamp.seconds(of: text.span)
        guard end > now else { throw ValidationError("--until is in the past") }
        return end
    }

    func run() throws {
        let now = TenantCommands.now
        let end = try end(at: now)
        let makeSecret = try secret.source()
        var made: (rotation: TenantsDocument.Rotation, secret: NewSecret)?
        try options.edit { document in
            var new: NewSecret?
            let rotation = try document.rotate(
                Group.kind, id, keyID: keyID, template: mode.template, until: end, at: now
            ) { mode in
                let made = try makeSecret(mode)
                new = made
                return made
            }
            made = new.map { (rotation, $0) }
        } announce: {
            guard let (rotation, new) = made else { return }
            var more: [(name: String, value: JSONTree)] = [
                ("limited", .array(rotation.limited.map { .string($0) }))
            ]
            if let end { more.append(("not_after", .string(Timestamp.text(end)))) }
            try secret.announce(
                Group.kind, id, key: rotation.key, mode: rotation.mode, new, options, more: more)
        }
    }
}

/// How long older keys are kept.
enum KeepTime {
    private static let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    /// A hundred years.
    private static let limit = 36_525 * 86_400

    /// `7d` → 604,800
    static func seconds(_ text: String) -> Int? {
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int(text.dropLast()), number > 0,
            number <= limit / unit
        else { return nil }
        return number * unit
    }
}

/// `servicedeskctl tenant retire ID --key KEY`
struct RetireKey<Group: OwnerGroup>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "retire", abstract: "Removes a key of a \(Group.kind).",
            discussion: """
                The only key that is accepted now, one that was used within the last day, and one whose uses have been \
                noted for less than a day, are removed only with --force. The uses are known from the directory in which \
                the responders share their counters, from the moment at which the key was one of several.

                \(TenantCommands.statuses)
                """)
    }

    @Argument(help: "The id.", completion: .ids(of: Group.kind)) var id: String
    @Option(help: "The key's id, as `list` shows it.", completion: .keys(of: Group.kind)) var key: String
    @Flag(help: "Remove it even if it is or may be in use, or the only one that is accepted.") var force = false
    @OptionGroup var options: EditOptions

    func run() throws {
        let use = try UsesOfKeys(options.file).use(of: key, Group.kind, id)
        if use == nil && !force {
            StandardStreams.complain("warning: when the key was last used is not known")
        }
        try options.edit { document in
            try document.retire(
                Group.kind, id, key: key, use: use, at: TenantCommands.now, isForced: force)
        } announce: {
            try options.announce(Group.kind, [("id", .string(id)), ("key", .string(key))])
        }
    }
}
