import ArgumentParser
import Bytes
import JSON
import System
import Webhook

/// `servicedeskctl explain --headers FILE < body`
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says why a captured request is refused, and what its sender has to change.",
        discussion: """
            Reads the request's body from standard input, byte for byte, and its headers from a file of `Name: value` lines, \
            as `curl -v` or a proxy shows them; a request line may stand first. Knows the keys from the tenants file, or \
            the secret from SERVICEDESK_SECRET or SERVICEDESK_SECRET_FILE. Never prints a secret, and asks nobody.

            The exit status is 0 if the credential is accepted, and 1 if it is not.
            """)

    @Option(help: "The file of the request's headers.", completion: .file()) var headers: String
    @Option(help: "The tenants file (default: SERVICEDESK_TENANTS_FILE).", completion: .file()) var tenantsFile: String?
    @Option(help: "The request's path (default: from the request line, or /webhook/servicedesk).") var path: String?
    @Option(help: "When it arrived, as RFC 3339 (default: now).") var now: String?
    @Flag(help: "It arrived over TLS.") var https = false
    @Flag(help: "Print an object.") var json = false

    func run() throws {
        let head: [UInt8]
        do throws(SystemError) {
            head = try readFile(headers, limit: 1_048_576)
        } catch {
            throw ValidationError("\(headers) cannot be read (\(error))")
        }
        var request = try CapturedRequest(head: head, body: try StandardStreams.read(), path: path)
        request.isEncrypted = https
        let secrets = try Environment.secrets(tenantsFile)
        let keys = secrets.arePerTenant ? try Environment.heldKeys(tenantsFile) : [.shared(try Environment.secret())]
        let explanation = Explanation(request, secrets: secrets, keys: keys, now: try seconds())
        if json {
            try StandardStreams.write(line: explanation.tree.text)
        } else {
            for line in explanation.lines { try StandardStreams.write(line: Array(line.utf8)) }
        }
        if !explanation.isAuthentic { throw ExitCode(1) }
    }

    private func seconds() throws -> Int {
        guard let now else { return Int(WallClock.now.microseconds / 1_000_000) }
        let text = Array(now.utf8)
        guard Timestamp.isDateTime(text.span) else { throw ValidationError("--now is no RFC 3339 date-time") }
        return Timestamp.seconds(of: text.span)
    }
}
