import ArgumentParser
import Diagnosis
import JSON
import System
import Tenants
import Webhook

/// `servicedeskctl explain --body FILE --headers FILE`
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says whether a captured request is accepted, and if not, which mistake of its sender explains that.",
        discussion: """
            It checks the request as the responder does, then tries what senders often do wrong: other bytes signed than \
            sent, another secret or key, another encoding, hash, header or time. A mistake is named only if the credential \
            is right once it is undone; what is wrong in any case is named if no such mistake was found.

            The headers are lines `Name: value` as curl's -H, curl -v or the request itself has them; a request line before \
            them gives the path. The body must be the bytes that were sent. It runs where the keys are, and sends nothing. It \
            prints no secrets, but may print text of the request.

            The keys are those of the tenants file, or SERVICEDESK_SECRET (or SERVICEDESK_SECRET_FILE). The responder's other \
            settings do not count: not a limit of the body's length, nor SERVICEDESK_MAX_AGE.

            Exit status: 0 if the request is accepted; 1 if not; 64 for arguments that make no sense, or files that cannot \
            be read.
            """)

    @Option(help: "The file with the body, byte for byte.", completion: .file()) var body: String
    @Option(help: "The file with the headers.", completion: .file()) var headers: String
    @OptionGroup var tenants: TenantsPathOption
    @Option(help: "The path that was posted to (default: that of the request line, or /webhook/servicedesk).")
    var path: String?
    @Option(help: "When the request arrived: an RFC 3339 date-time (default: now).") var now: String?
    @Flag(help: "The request came over TLS.") var https = false
    @Flag(help: "Accept unknown fields.") var ignoreUnknownFields = false
    @Flag(help: "Print an object.") var json = false

    private static let fileLimit = 1_048_576

    func validate() throws { _ = try time() }

    private func time() throws -> Int {
        guard let now else { return TenantCommands.now }
        let text = Array(now.utf8)
        guard Timestamp.isDateTime(text.span) else {
            throw ValidationError("--now expects an RFC 3339 date-time with an offset, such as 2026-12-31T23:59:59Z")
        }
        return Timestamp.seconds(of: text.span)
    }

    func run() throws {
        let request = try request()
        let unknownFields: UnknownFields = ignoreUnknownFields ? .ignore : .reject
        let diagnosis: Diagnosis
        if var ring = try keyRing() {
            defer { ring.wipe() }
            diagnosis = Diagnosis(
                request, secrets: Secrets(tenants: ring.table), keys: ring.keys, now: try time(),
                unknownFields: unknownFields)
        } else {
            let secret = try Environment.secret()
            diagnosis = Diagnosis(
                request, secrets: Secrets(shared: secret), keys: [.shared(secret)], now: try time(),
                unknownFields: unknownFields)
        }
        try StandardStreams.write(line: json ? diagnosis.json.text : Array(diagnosis.text.utf8))
        guard diagnosis.isAccepted else { throw ExitCode(1) }
    }

    private func request() throws -> SavedRequest {
        let (head, body) = (try read(headers, "--headers"), try read(body, "--body"))
        do throws(SavedRequestFault) {
            return try SavedRequest(head: head, body: body, path: path, isEncrypted: https)
        } catch {
            throw ValidationError("--headers: \(headers) \(error)")
        }
    }

    private func read(_ path: String, _ option: String) throws -> [UInt8] {
        do throws(SystemError) {
            return try readFile(path, limit: Explain.fileLimit)
        } catch {
            throw ValidationError("\(option): \(path) cannot be read (\(error))")
        }
    }

    /// The keys of the tenants file; nil if SERVICEDESK_SECRET is to be used.
    private func keyRing() throws -> KeyRing? {
        guard try tenants.path() != nil else { return nil }
        let hasSecret = ["SERVICEDESK_SECRET", "SERVICEDESK_SECRET_FILE"].contains { Environment.value($0) != nil }
        guard tenants.tenantsFile != nil || !hasSecret else {
            throw ValidationError("SERVICEDESK_TENANTS_FILE and SERVICEDESK_SECRET are both set: set only one")
        }
        do {
            return try tenants.store().keyRing()
        } catch let error as TenantsStoreFault {
            throw ValidationError(error.description)
        }
    }
}
