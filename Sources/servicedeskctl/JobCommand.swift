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

/// `servicedeskctl job < body`
struct JobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Prints the job that a ticket from standard input would become, and queues nothing.",
        discussion: "If the ticket has errors, they are printed as `check` prints them, and the exit status is 1.")

    @OptionGroup var queue: QueueOptions
    @OptionGroup var format: FormatOptions
    @Option(help: "Further members, separated by commas (default: SERVICEDESK_JOB_MEMBERS, or none).")
    var members: String?
    @Option(help: "The delivery's id, as the sender's webhook-id has it.") var deliveryID: String?
    @Option(help: "The sender's traceparent.") var traceparent: String?
    @Flag(help: "Accept unknown fields.") var ignoreUnknownFields = false

    func run() throws {
        let body = try StandardStreams.read()
        var random = RandomSource()
        let secret = (0..<Secrets.minimumLength).map { _ in random.next() }
        var handler = Handler(
            secrets: Secrets(shared: secret), bodyLimit: Handler.largestBody,
            unknownFields: ignoreUnknownFields ? .ignore : .reject, maxAge: 0,
            encoder: try encoder())
        var signature: [UInt8] = []
        signature.append(hex: Authenticator(key: secret.span).tag(of: body.span))
        var exchange = Exchange()
        for (name, value) in variables(signature: signature) {
            exchange.take(Array(name.utf8).span, value.span, headers: handler.secrets.headers)
        }
        exchange.complete(bodyLength: body.count, random: &handler.random)
        var printed = PrintedQueue()
        let now = Timestamp.format(WallClock.now.microseconds)
        let disposition = handler.handle(
            &exchange, body: body.span, time: now, request: RequestHandle(slot: 0, generation: 0), queue: &printed)
        guard disposition == .queued, let job = printed.job else {
            for row in exchange.faults { try StandardStreams.write(line: row.line) }
            if exchange.faults.isEmpty, case .answer(let reason) = disposition {
                StandardStreams.complain("\(reason.detail)")
            }
            throw ExitCode(1)
        }
        try StandardStreams.write(line: job)
    }

    private func encoder() throws -> JobEncoder {
        let list = try members ?? Environment.text("SERVICEDESK_JOB_MEMBERS")
        guard let members = list.map({ JobMembers($0) }) ?? [] else {
            let accepted = JobMembers.names.joined(separator: ", ")
            throw ValidationError("--members or SERVICEDESK_JOB_MEMBERS is not a list of some of \(accepted)")
        }
        return JobEncoder(
            try format.jobFormat(), members: members, task: try format.taskName(), queue: queue.text)
    }

    /// The CGI variables of a signed request.
    private func variables(signature: [UInt8]) -> [(String, [UInt8])] {
        var variables = [
            ("REQUEST_METHOD", Array("POST".utf8)), ("SCRIPT_NAME", Array("/webhook/servicedesk".utf8)),
            ("CONTENT_TYPE", Array("application/json".utf8)), ("HTTP_X_SERVICEDESK_SIGNATURE", signature),
        ]
        if let deliveryID { variables.append(("HTTP_WEBHOOK_ID", Array(deliveryID.utf8))) }
        if let traceparent { variables.append(("HTTP_TRACEPARENT", Array(traceparent.utf8))) }
        return variables
    }
}

/// Keeps the job instead of queueing it.
private struct PrintedQueue: JobQueue {
    private(set) var job: [UInt8]?

    mutating func push(
        _ job: Span<UInt8>, id: [UInt8], delivery: NamedDelivery?, for request: RequestHandle
    ) -> Reason? {
        var copy: [UInt8] = []
        copy.append(job)
        self.job = copy
        return nil
    }
}
