import ArgumentParser
import JSON
import Tenants
import Webhook

/// `servicedeskctl sender profile ID NAME`
struct SenderProfile: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "Sets how a sender's payloads are mapped to tickets.",
        discussion: """
            The profile is one of the file, or one that is shipped: see `servicedeskctl profile list`.

            \(TenantCommands.statuses)
            """)

    @Argument(help: "The sender's id.", completion: .ids(of: .sender)) var id: String
    @Argument(help: "The profile.", completion: .list(MappingProfile.shippedIDs)) var profile: String?
    @Flag(help: "Use no profile: its payloads are tickets already.") var none = false
    @OptionGroup var options: EditOptions

    func validate() throws {
        guard none == (profile == nil) else { throw ValidationError("give a profile or --none") }
    }

    func run() throws {
        try options.edit { document in
            try document.setProfile(profile, of: id)
        } announce: {
            let members = profile.map { [(name: "profile", value: JSONTree.string($0))] } ?? []
            try options.announce(.sender, [("id", .string(id))] + members)
        }
    }
}

/// `servicedeskctl profile list|show`
struct ProfileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "Prints the profiles that map payloads of help desks to tickets.",
        subcommands: [List.self, Show.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints the ids of the shipped profiles.")

        func run() throws { for id in MappingProfile.shippedIDs { try StandardStreams.write(line: Array(id.utf8)) } }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a shipped profile as the tenants file would have it.")
        @Argument(help: "Its id.", completion: .list(MappingProfile.shippedIDs)) var id: String

        func run() throws {
            let profiles = try ShippedProfiles.texts.map { text in
                let bytes = Array(text.utf8)
                return try JSONTree(bytes.span)
            }
            guard let profile = profiles.first(where: { $0["id"]?.string == id }) else {
                throw ValidationError("there is no shipped profile \(id): see `servicedeskctl profile list`")
            }
            try StandardStreams.write(line: profile.text)
        }
    }
}
