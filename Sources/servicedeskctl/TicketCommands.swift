import ArgumentParser
import JSON
import System
import Webhook

/// `servicedeskctl sign < body`
struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the signature of a body from standard input.",
        discussion: """
            Without --tenant or --sender: the HMAC under the secret in SERVICEDESK_SECRET, or in the file that \
            SERVICEDESK_SECRET_FILE names, so that it does not appear in the list of processes.

            With one of them: the header lines with which the holder of a key in the tenants file sends the body, for \
            `curl -H @-`. Those of a token or password are the secret itself.
            """)

    @OptionGroup var signing: SigningOptions
    @Flag(help: "Print an object of the headers.") var json = false

    func run() throws {
        let key = try signing.heldKey()
        let body = try StandardStreams.read()
        let headers = try signing.headers(signing: body, with: key)
        if json {
            let members = headers.map { ($0.name, JSONTree.string(String(decoding: $0.value, as: UTF8.self))) }
            return try StandardStreams.write(line: JSONTree.object(members.map { (name: $0.0, value: $0.1) }).text)
        }
        if !signing.isNamed { return try StandardStreams.write(line: headers[0].value) }
        for field in headers { try StandardStreams.write(line: Array("\(field.name): ".utf8) + field.value) }
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
