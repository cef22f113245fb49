import ArgumentParser
import Product
import Redis

/// Which queue. The URL comes from the environment: it may hold a password.
struct QueueOptions: ParsableArguments {
    @Option(help: "The queue's key (default: SERVICEDESK_QUEUE_KEY, or \(Defaults.queueKey)).") var key: String?

    var queueKey: [UInt8] {
        key.map { Array($0.utf8) } ?? Environment.value("SERVICEDESK_QUEUE_KEY") ?? Array(Defaults.queueKey.utf8)
    }

    /// The key as text, for Celery.
    var text: String { String(decoding: queueKey, as: UTF8.self) }

    func service() throws -> QueueService { QueueService(try Environment.client(), key: queueKey) }
}

struct Depth: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints how many jobs are in the queue.")
    @OptionGroup var queue: QueueOptions

    func run() throws { try StandardStreams.write(number: try queue.service().depth()) }
}

struct Peek: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints the oldest jobs, and leaves them in the queue.")
    /// Jobs, at most.
    private static let limit = 1000
    @OptionGroup var queue: QueueOptions
    @Argument(help: "How many, 1 to \(Peek.limit).") var count = 1

    func validate() throws {
        guard (1...Peek.limit).contains(count) else {
            throw ValidationError("the number of jobs must be from 1 to \(Peek.limit)")
        }
    }

    func run() throws { for job in try queue.service().peek(count) { try StandardStreams.write(line: job) } }
}

struct Pop: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the oldest job and removes it from the queue; exits with status 1 if there is none.",
        discussion: """
            The job is removed only after it has been printed: if printing fails, it stays in the queue. If a worker \
            has taken it in the meantime, the exit status is 2, and the printed job must be ignored.
            """)
    @OptionGroup var queue: QueueOptions

    func run() throws {
        let service = try queue.service()
        guard let job = try service.oldest() else { throw ExitCode(1) }
        try StandardStreams.write(line: job)
        guard try service.remove(job) else {
            StandardStreams.complain("a worker has taken this job in the meantime: ignore the printed job")
            throw ExitCode(2)
        }
    }
}

struct Push: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pushes a job from standard input to the queue as it is, and prints the new depth of the queue.")
    @OptionGroup var queue: QueueOptions

    func run() throws {
        let job = try StandardStreams.read()
        guard !job.isEmpty else { throw StandardStreamFailure(description: "no job on standard input") }
        try StandardStreams.write(number: try queue.service().push(job))
    }
}
