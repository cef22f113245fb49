import ArgumentParser
import JSON
import Webhook

/// `servicedeskctl schema job|ticket|tenants`
struct Schema: ParsableCommand {
    enum Subject: String, CaseIterable, ExpressibleByArgument { case job, ticket, tenants }

    static let configuration = CommandConfiguration(
        abstract: "Prints the JSON Schema of jobs, of tickets, or of the tenants file (draft 2020-12).",
        discussion: "The schema's description names what the responder refuses although the schema accepts it.")

    @Argument(help: "What the schema describes: job, ticket or tenants.") var subject: Subject
    @Flag(help: "Accept unknown fields in a ticket.") var ignoreUnknownFields = false

    func validate() throws {
        guard subject == .ticket || !ignoreUnknownFields else {
            throw ValidationError("--ignore-unknown-fields is for the schema of tickets")
        }
    }

    func run() throws {
        switch subject {
        case .job: try StandardStreams.write(line: Schemas.job.text)
        case .tenants: try StandardStreams.write(line: Schemas.tenants.text)
        case .ticket:
            let schema = Schemas.ticket(unknownFields: ignoreUnknownFields ? .ignore : .reject)
            try StandardStreams.write(line: schema.text)
        }
    }
}
