import ArgumentParser
import Bytes
import Product
import System
import Webhook

/// The format of jobs, as the responder takes it from the environment.
struct FormatOptions: ParsableArguments {
    @Option(help: "plain or celery (default: SERVICEDESK_JOB_FORMAT, or plain).") var format: String?
    @Option(help: "The Celery task (default: SERVICEDESK_CELERY_TASK, or \(CeleryMessage.defaultTask)).")
    var task: String?

    func jobFormat() throws -> JobFormat {
        let name = try format ?? Environment.text("SERVICEDESK_JOB_FORMAT") ?? JobFormat.plain.rawValue
        guard let format = JobFormat(rawValue: name) else {
            let accepted = JobFormat.allCases.map(\.rawValue).joined(separator: " or ")
            throw ValidationError("--format or SERVICEDESK_JOB_FORMAT is not \(accepted)")
        }
        return format
    }

    func taskName() throws -> String {
        let name = try task ?? Environment.text("SERVICEDESK_CELERY_TASK") ?? CeleryMessage.defaultTask
        guard CeleryMessage.isTaskName(name) else {
            throw ValidationError(
                "--task or SERVICEDESK_CELERY_TASK is not 1 to \(CeleryMessage.taskLimit) letters, digits, _ and .")
        }
        return name
    }
}

/// How jobs are written, as the responder takes it from the environment.
struct JobOptions: ParsableArguments {
    @OptionGroup var format: FormatOptions
    @Option(help: "Further members, separated by commas (default: SERVICEDESK_JOB_MEMBERS, or none).")
    var members: String?

    func encoder(for queue: QueueOptions) throws -> JobEncoder {
        let list = try members ?? Environment.text("SERVICEDESK_JOB_MEMBERS")
        guard let members = list.map({ JobMembers($0) }) ?? [] else {
            let accepted = JobMembers.names.joined(separator: ", ")
            throw ValidationError("--members or SERVICEDESK_JOB_MEMBERS is not a list of some of \(accepted)")
        }
        return JobEncoder(
            try format.jobFormat(), members: members, task: try format.taskName(), queue: queue.text)
    }
}

/// `servicedeskctl job < body`
struct JobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Prints the job that a ticket from standard input would become, and queues nothing.",
        discussion: """
            With --sender or --profile the body is a payload that is mapped to a ticket first. If it has errors, they are \
            printed as `check` prints them, and the exit status is 1.
            """)

    @OptionGroup var source: SourceOptions
    @OptionGroup var queue: QueueOptions
    @OptionGroup var job: JobOptions
    @Option(help: "The delivery's id, as the sender's webhook-id has it.") var deliveryID: String?
    @Option(help: "The sender's traceparent.") var traceparent: String?
    @Flag(help: "Accept unknown fields.") var ignoreUnknownFields = false

    func run() throws {
        let body = try StandardStreams.read()
        var random = RandomSource()
        let secret = (0..<Secrets.minimumLength).map { _ in random.next() }
        var handler = Handler(
            secrets: source.isNamed ? try source.secrets() : Secrets(shared: secret), bodyLimit: Handler.largestBody,
            unknownFields: ignoreUnknownFields ? .ignore : .reject, maxAge: 0, encoder: try job.encoder(for: queue))
        let result = ReadBody(body, from: source.isNamed ? source.claimant : Claimant(), variables, &handler)
        guard let made = result.job else {
            try result.printFaults()
            throw ExitCode(1)
        }
        try StandardStreams.write(line: made)
    }

    private var variables: [(String, [UInt8])] {
        var variables = source.variables
        if let deliveryID { variables.append(("HTTP_WEBHOOK_ID", Array(deliveryID.utf8))) }
        if let traceparent { variables.append(("HTTP_TRACEPARENT", Array(traceparent.utf8))) }
        return variables
    }
}
