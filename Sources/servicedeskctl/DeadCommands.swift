import ArgumentParser
import Bytes
import Redis
import Webhook

/// `servicedeskctl dead list|show|replay|drop`
struct Dead: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Manages the jobs that workers gave up on.",
        discussion: """
            Workers put such a job into a list of its own, as an object with the members job, reason, attempts, \
            failed_at, worker and, with Celery, task. The commands name a job by its job_id, as the list shows it.
            """,
        subcommands: [List.self, Show.self, Replay.self, Drop.self])

    struct Source: ParsableArguments {
        @Option(help: "The key of the list of dead jobs.") var deadKey = "enhancement:dead"

        func letters(_ client: Client) -> DeadLetters {
            DeadLetters(service: QueueService(client, key: Array(deadKey.utf8)))
        }
    }

    /// Which jobs a command is for.
    struct Selection: ParsableArguments {
        @Argument(help: "The ids, as the list shows them.") var ids: [String] = []
        @Flag(help: "All dead jobs.") var all = false

        func validate() throws {
            guard all != !ids.isEmpty else { throw ValidationError("name jobs by their ids, or give --all") }
        }

        /// The jobs, each with all its entries, oldest first. Throws if an id has none.
        func jobs(among letters: DeadLetters) throws -> [[DeadLetter]] {
            var jobs: [[DeadLetter]] = []
            var places: [[UInt8]: Int] = [:]
            let wanted = Set(ids.map { Array($0.utf8) })
            try letters.visit { letter in
                guard all || wanted.contains(letter.id) else { return }
                if let place = places[letter.id] {
                    jobs[place].append(letter)
                } else {
                    places[letter.id] = jobs.count
                    jobs.append([letter])
                }
            }
            for id in ids where places[Array(id.utf8)] == nil {
                StandardStreams.complain("no dead job \(id)")
                throw ExitCode(1)
            }
            return jobs
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a line for each dead job, oldest first.",
            discussion: "Columns, separated by tabs: id, time, attempts, tenant, ticket, reason.")
        @OptionGroup var source: Source

        func run() throws {
            try source.letters(Environment.client()).visit { try StandardStreams.write(line: $0.summary) }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints the entries of dead jobs as they are.")
        @OptionGroup var source: Source
        @OptionGroup var selection: Selection

        func run() throws {
            for letter in try selection.jobs(among: source.letters(Environment.client())).joined() {
                try StandardStreams.write(line: letter.entry)
            }
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Removes dead jobs, and prints their ids.")
        @OptionGroup var source: Source
        @OptionGroup var selection: Selection

        func run() throws {
            let letters = source.letters(try Environment.client())
            var hasFailed = false
            for job in try selection.jobs(among: letters) {
                var removed = 0
                for letter in job where try letters.service.remove(letter.entry) { removed += 1 }
                if removed > 0 {
                    try StandardStreams.write(line: job[0].id)
                } else {
                    let id = String(decoding: job[0].id, as: UTF8.self)
                    StandardStreams.complain("\(id) has left the list in the meantime: not removed here")
                    hasFailed = true
                }
            }
            if hasFailed { throw ExitCode(1) }
        }
    }
}

/// The list of dead jobs.
struct DeadLetters {
    private static let page = 500
    let service: QueueService

    /// Hands out every entry, oldest first.
    func visit(_ body: (DeadLetter) throws -> Void) throws {
        var count = 0
        while true {
            let entries = try service.peek(DeadLetters.page, after: count)
            for entry in entries { try body(DeadLetter(entry)) }
            count += entries.count
            guard entries.count == DeadLetters.page else { return }
        }
    }
}
