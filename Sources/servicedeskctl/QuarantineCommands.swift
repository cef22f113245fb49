import ArgumentParser
import Bytes
import JSON
import Redis
import Webhook

/// `servicedeskctl quarantine list|show|replay|drop`
struct QuarantineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine",
        abstract: "Manages the requests that were refused, and kept since SERVICEDESK_QUARANTINE says so.",
        discussion: """
            Kept are requests whose sender had proven who it is and whose payload was answered 400. The commands name one by \
            its id, as the list shows it.
            """,
        subcommands: [List.self, Show.self, Replay.self, Drop.self])

    /// Which requests a command is for.
    struct Selection: ParsableArguments {
        @Argument(help: "The ids, as the list shows them.") var ids: [String] = []
        @Flag(help: "All requests.") var all = false

        func validate() throws {
            guard all != !ids.isEmpty else { throw ValidationError("name requests by their ids, or give --all") }
        }

        /// Hands out the requests, the oldest first where all are meant. Throws before the first if an id has none.
        func visit(_ service: QuarantineService, _ body: (QuarantineEntry) throws -> Void) throws {
            // Of all, a page at a time: together they may be more than fits into memory.
            guard !all else { return try service.visit { try body(QuarantineEntry($0)) } }
            let entries = try ids.map { id in
                guard QuarantineEntry.isID(id), let entry = try service.entry(Array(id.utf8)) else {
                    StandardStreams.complain("the quarantine has no request \(id)")
                    throw ExitCode(1)
                }
                return QuarantineEntry(entry)
            }
            for entry in entries { try body(entry) }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a line for each request, oldest first.",
            discussion: """
                Columns, separated by tabs: id, time, tenant, sender, reason, the first fault. With --json, an object for \
                each.
                """)
        @OptionGroup var queue: QueueOptions
        @Flag(help: "Print an object a line, without the body.") var json = false

        func run() throws {
            try queue.quarantine().visit { found in
                let entry = QuarantineEntry(found)
                try StandardStreams.write(line: json ? entry.json(withBody: false) : entry.summary)
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints requests as objects, or the body of one as it is.",
            discussion:
                "A body that is not UTF-8 is shown with U+FFFD in place of what is not; --body prints its bytes.")
        @OptionGroup var queue: QueueOptions
        @OptionGroup var selection: Selection
        @Flag(help: "Print the body alone, byte for byte, for editing.") var body = false

        func validate() throws {
            guard !body || selection.ids.count == 1 else { throw ValidationError("--body needs exactly one id") }
        }

        func run() throws {
            try selection.visit(queue.quarantine()) { entry in
                guard !body else { return try StandardStreams.write(entry.body) }
                try StandardStreams.write(line: entry.json(withBody: true))
            }
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Removes requests, and prints their ids.")
        @OptionGroup var queue: QueueOptions
        @OptionGroup var selection: Selection

        func run() throws {
            let service = try queue.quarantine()
            try selection.visit(service) { entry in
                if try service.remove(entry.id) { try StandardStreams.write(line: entry.id) }
            }
        }
    }
}

extension QueueOptions {
    /// The requests that were refused beside the queue.
    func quarantine() throws -> QuarantineService { QuarantineService(try Environment.client(), queue: text) }
}
