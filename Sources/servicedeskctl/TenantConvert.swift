import ArgumentParser
import JSON
import Tenants

/// `servicedeskctl tenant convert`
struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a tenants file of lines as JSON, with the same tenants, secrets and ids of keys.",
        discussion: """
            The keys are called 1, 2 and 3, as the log calls those of lines. Comments are lost. The new file has the owner, \
            group and mode of the old one.

            \(TenantCommands.statuses)
            """)

    @OptionGroup var file: TenantsFileOptions
    @Option(help: "The new file (default: the old one's name and .json).", completion: .file()) var output: String?
    @Flag(help: "Replace the old file.") var inPlace = false
    @Flag(help: "Print the new file's name as JSON.") var json = false

    func validate() throws {
        guard output == nil || !inPlace else { throw ValidationError("give --output or --in-place, not both") }
    }

    func run() throws {
        let store = try file.store()
        let new = inPlace ? store.path : output ?? "\(store.path).json"
        let doubt = try store.convert(to: TenantsStore(path: new))
        if json {
            let row: JSONTree = ["file": .string(new)]
            try StandardStreams.write(line: row.text)
        }
        let first =
            inPlace
            ? ""
            : "To switch, rename it over the old one: mv \(new) \(store.path) — or set SERVICEDESK_TENANTS_FILE and restart. "
        StandardStreams.complain(
            """
            \(new) is written. \(first)The responders read it on HUP only, since the file that they have is one of lines: \
            pkill -HUP -P "$(cat SOCKET.pid)". From then on they read each change automatically.
            """)
        guard let doubt else { return }
        TenantCommands.complain(of: doubt, about: new)
        throw ExitCode(TenantCommands.changedInPart)
    }
}
