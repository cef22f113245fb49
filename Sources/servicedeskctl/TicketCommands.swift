import ArgumentParser
import JSON
import Webhook

/// `servicedeskctl sign < body`
struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Prints the signature of a body from standard input, or the headers that a tenant or sender sends with it.",
        discussion: """
            Without --tenant and --sender the secret is taken from SERVICEDESK_SECRET, or from the file that \
            SERVICEDESK_SECRET_FILE names, so that it does not appear in the list of processes; what is printed is the \
            signature alone, in hexadecimal digits.

            With --tenant or --sender the key comes from the tenants file, and what is printed are the header lines of the \
            key's mode, which `curl -H @FILE` takes:

                servicedeskctl sign --tenant acme <body >headers
                curl -H @headers -H Content-Type:application/json --data-binary @body https://…/webhook/servicedesk

            In the modes token and basic these lines hold the secret itself.

            Exit status: 0; 1 if the file cannot be read, or has no such key, or only the digest of a token or password; 64 \
            for arguments that make no sense.
            """)

    @OptionGroup var signer: SignerOptions
    @Flag(help: "Print an object of header names and values.") var json = false

    func validate() throws {
        guard signer.namesOwner || json || signer.deliveryID == nil && signer.timestamp == nil else {
            throw ValidationError("--delivery-id and --timestamp need --tenant or --sender")
        }
    }

    func run() throws {
        var signer = try self.signer.signer()
        let body = try StandardStreams.read()
        let fields = try signer.headers(signing: body)
        if json {
            let members = fields.map {
                (name: $0.name, value: JSONTree.string(String(decoding: $0.value, as: UTF8.self)))
            }
            return try StandardStreams.write(line: JSONTree.object(members).text)
        }
        guard self.signer.namesOwner else { return try StandardStreams.write(line: fields[0].value) }
        for field in fields { try StandardStreams.write(line: field.line) }
    }
}

extension HeaderField {
    /// `Name: value`
    var line: [UInt8] { Array("\(name): ".utf8) + value }
}

/// `servicedeskctl check < body`
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a ticket from standard input and prints its errors, as a 400 response would.",
        discussion: "With --sender or --profile it is a payload that is mapped to a ticket first.")

    @OptionGroup var source: SourceOptions

    @Flag(help: "Accept unknown fields.") var ignoreUnknownFields = false

    func run() throws {
        let body = try StandardStreams.read()
        let unknownFields: UnknownFields = ignoreUnknownFields ? .ignore : .reject
        guard !source.isNamed else { return try checkMapped(body, unknownFields) }
        var reader = TicketReader(unknownFields: unknownFields)
        var ticket = Ticket()
        do throws(PayloadFault) {
            try reader.read(body.span, into: &ticket)
        } catch {
            for row in error.rows { try StandardStreams.write(line: TerminalText.line(row.line)) }
            throw ExitCode(1)
        }
        try StandardStreams.write(line: Array("valid".utf8))
    }

    private func checkMapped(_ body: [UInt8], _ unknownFields: UnknownFields) throws {
        var handler = Handler(
            secrets: try source.secrets(), bodyLimit: Handler.largestBody, unknownFields: unknownFields, maxAge: 0)
        let result = ReadBody(body, from: source.claimant, source.variables, &handler)
        guard result.job != nil else {
            try result.printFaults()
            throw ExitCode(1)
        }
        try StandardStreams.write(line: Array("valid".utf8))
    }
}
