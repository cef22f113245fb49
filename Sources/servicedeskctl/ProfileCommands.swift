import ArgumentParser
import JSON
import Tenants
import Webhook

/// `servicedeskctl profile list|show|add|remove`
struct ProfileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile",
        abstract: "Lists, prints and edits the profiles that map payloads of help desks to tickets.",
        subcommands: [List.self, Show.self, Add.self, Remove.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the ids of the profiles, and whether each is shipped or the file's own.",
            discussion: "The file is looked at if --tenants-file or SERVICEDESK_TENANTS_FILE names one.")
        @OptionGroup var tenants: TenantsPathOption

        func run() throws {
            for id in MappingProfile.shippedIDs { try StandardStreams.write(line: Array("\(id)\tshipped".utf8)) }
            for profile in try tenants.profiles() {
                try StandardStreams.write(line: Array("\(profile["id"]?.string ?? "")\tfile".utf8))
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a profile as the tenants file has it, or would have it.")
        @Argument(help: "Its id.", completion: .list(MappingProfile.shippedIDs)) var id: String
        @OptionGroup var tenants: TenantsPathOption

        func run() throws {
            let shipped = try ShippedProfiles.texts.map { text in
                let bytes = Array(text.utf8)
                return try JSONTree(bytes.span)
            }
            let profiles = MappingProfile.shippedIDs.contains(id) ? shipped : try tenants.profiles()
            guard let profile = profiles.first(where: { $0["id"]?.string == id }) else {
                throw ValidationError("there is no profile \(id): see `servicedeskctl profile list`")
            }
            try StandardStreams.write(line: profile.text)
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a profile from standard input to the tenants file, and prints its id.",
            discussion: TenantCommands.statuses)
        @Flag(help: "Put it in the place of the file's profile with the same id.") var replace = false
        @OptionGroup var options: EditOptions

        func run() throws {
            let text = try StandardStreams.read()
            let profile: JSONTree
            do throws(JSONFault) {
                profile = try JSONTree(text.span)
            } catch {
                throw ValidationError("the profile is not JSON: \(error.kind.rawValue) at byte offset \(error.offset)")
            }
            try options.edit { document in
                try document.add(profile: profile, replacing: replace)
            } announce: {
                try StandardStreams.write(line: Array((profile["id"]?.string ?? "").utf8))
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes a profile that no sender has from the tenants file.",
            discussion: TenantCommands.statuses)
        @Argument(help: "Its id.") var id: String
        @OptionGroup var options: EditOptions

        func run() throws {
            try options.edit { document in
                try document.removeProfile(id)
            } announce: {
                try StandardStreams.write(line: Array(id.utf8))
            }
        }
    }
}

extension TenantsPathOption {
    /// The file's own profiles; none if no file is named.
    fileprivate func profiles() throws -> [JSONTree] {
        guard try path() != nil else { return [] }
        return try store().read().document.profiles
    }
}

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
