import ArgumentParser
import Bytes
import System
import Webhook

/// `servicedeskctl sign < body`
struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the signature of a body from standard input.",
        discussion: """
            The secret is taken from SERVICEDESK_SECRET, or from the file that SERVICEDESK_SECRET_FILE names, so that it \
            does not appear in the list of processes.
            """)

    func run() throws {
        let secret = try Environment.secret()
        let body = try StandardStreams.read()
        let tag = Authenticator(key: secret.span).tag(of: body.span)
        var digits: [UInt8] = []
        digits.append(hex: tag)
        try StandardStreams.write(line: digits)
    }
}

/// `servicedeskctl check < body`
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a ticket from standard input and prints its errors, as a 400 response would.")

    @Flag(help: "Accept unknown fields.") var ignoreUnknownFields = false

    func run() throws {
        let body = try StandardStreams.read()
        var reader = TicketReader(unknownFields: ignoreUnknownFields ? .ignore : .reject)
        var ticket = Ticket()
        do throws(PayloadFault) {
            try reader.read(body.span, into: &ticket)
        } catch {
            for row in error.rows { try StandardStreams.write(line: row.line) }
            throw ExitCode(1)
        }
        try StandardStreams.write(line: Array("valid".utf8))
    }
}
