import ArgumentParser
import Bytes
import EventLoop
import Webhook

/// `servicedeskctl sign < body`
struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the signature of a body from standard input.",
        discussion: "The secret is taken from SERVICEDESK_SECRET, so that it stands in no list of processes.")

    func run() throws {
        guard let secret = ProcessEnvironment.all["SERVICEDESK_SECRET"], !secret.isEmpty else {
            throw ValidationError("SERVICEDESK_SECRET is not set")
        }
        let body = try readFile("/dev/stdin", limit: 1_048_576)
        let tag = Authenticator(key: Array(secret.utf8).span).tag(of: body.span)
        var digits: [UInt8] = []
        digits.append(hex: tag)
        print(String(decoding: digits, as: UTF8.self))
    }
}

/// `servicedeskctl check < body`
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells what is wrong with a ticket from standard input, as the answer 400 would.")

    @Flag(help: "Accept fields that the contract does not know.") var ignoreUnknownFields = false

    func run() throws {
        let body = try readFile("/dev/stdin", limit: 1_048_576)
        var reader = TicketReader(unknownFields: ignoreUnknownFields ? .ignore : .reject)
        var ticket = Ticket()
        do throws(PayloadError) {
            try reader.read(body.span, into: &ticket)
            print("valid")
        } catch {
            for row in error.rows { print("\(String(decoding: row.field, as: UTF8.self)): \(row.message)") }
            throw ExitCode(1)
        }
    }
}
