import ArgumentParser
import JSON
import Product
import System
import Tenants
import Webhook

/// The tenants file.
struct TenantsPathOption: ParsableArguments {
    @Option(help: "The tenants file (default: SERVICEDESK_TENANTS_FILE).", completion: .file())
    var tenantsFile: String?

    /// Nil if none is named.
    func path() throws -> String? {
        try tenantsFile ?? Environment.text("SERVICEDESK_TENANTS_FILE")
    }

    func store() throws -> TenantsStore {
        guard let path = try path(), !path.isEmpty else {
            throw ValidationError("neither --tenants-file nor SERVICEDESK_TENANTS_FILE names a file")
        }
        return TenantsStore(path: path)
    }
}

/// The tenants file and the responders that use it.
struct TenantsFileOptions: ParsableArguments {
    @OptionGroup var tenants: TenantsPathOption
    @Option(
        help: "The directory in which the responders share their counters (default: SERVICEDESK_RUNTIME_DIR).",
        completion: .directory)
    var runtimeDir: String?

    func store() throws -> TenantsStore { try tenants.store() }

    func runtimeDirectory() throws -> String? { try runtimeDir ?? Environment.text("SERVICEDESK_RUNTIME_DIR") }
}

/// Until when a command waits for the responders.
struct WaitOptions: ParsableArguments {
    @Option(help: "Seconds to wait until all responders use the changed file.") var wait = 30
    @Flag(help: "Do not wait for the responders.") var noWait = false

    func validate() throws {
        guard (1...3600).contains(wait) else { throw ValidationError("--wait must be from 1 to 3600 seconds") }
    }

    /// Waits until the responders use the file as it is now. Complains if they do not, or if that cannot be known.
    func waitForResponders(_ file: TenantsFileOptions) throws {
        guard !noWait else { return }
        guard let directory = try file.runtimeDirectory() else {
            return StandardStreams.complain(
                """
                warning: whether the responders use the changed file is not known without --runtime-dir or \
                SERVICEDESK_RUNTIME_DIR; each of them logs "tenants reloaded", after some two seconds
                """)
        }
        let waiting = TenantsWait(store: try file.store(), directory: directory)
        guard waiting.run(until: .now + .seconds(Double(wait))) else {
            throw ExitCode(TenantCommands.changedInPart)
        }
    }
}

/// The mode of a new key: what the tenants file says of it.
struct ModeOptions: ParsableArguments {
    @Option(
        help: "\(TenantsJSON.modeNames.joined(separator: ", ")).", completion: .list(TenantsJSON.modeNames))
    var mode: String?
    @Option(help: "hmac, token: the header.") var header: String?
    @Option(help: "hmac, token: what stands before the signature or token.") var prefix: String?
    @Option(help: "hmac: hex or base64.", completion: .list(HMACMode.Encoding.allCases.map(\.rawValue)))
    var encoding: String?
    @Option(
        help: "hmac: what is signed, \(HMACMode.Content.allCases.map(\.rawValue).joined(separator: ", ")).",
        completion: .list(HMACMode.Content.allCases.map(\.rawValue)))
    var signed: String?
    @Option(help: "hmac: what stands between time and body.") var separator: String?
    @Option(help: "hmac: the header with the signed time.") var timestampHeader: String?
    @Option(help: "hmac: unix or rfc3339.", completion: .list(SignedTime.allCases.map(\.rawValue)))
    var timestampFormat: String?
    @Option(help: "hmac: seconds that the signed time may lie before or after now.") var tolerance: Int?
    @Option(help: "basic: the user's name.") var user: String?
    @Flag(help: "token, basic: accept it without TLS.") var plaintext = false

    private var parameters: [(name: String, value: JSONTree)] {
        let texts: [(ModeParameters.Member, String?)] = [
            (.header, header), (.prefix, prefix), (.encoding, encoding), (.signed, signed), (.separator, separator),
            (.timestampHeader, timestampHeader), (.timestampFormat, timestampFormat), (.user, user),
        ]
        var parameters = texts.compactMap { member, text in
            text.map { (name: member.rawValue, value: JSONTree.string($0)) }
        }
        if let tolerance { parameters.append((ModeParameters.Member.tolerance.rawValue, .number(tolerance))) }
        if plaintext { parameters.append((ModeParameters.Member.plaintext.rawValue, true)) }
        return parameters
    }

    func validate() throws {
        guard let mode else {
            guard parameters.isEmpty else {
                throw ValidationError("--\(String(parameters[0].name.map { $0 == "_" ? "-" : $0 })) needs --mode")
            }
            return
        }
        guard TenantsJSON.modeNames.contains(mode) else {
            throw ValidationError("--mode is not one of \(TenantsJSON.modeNames.joined(separator: ", "))")
        }
    }

    /// Nil if no mode is named.
    var template: KeyTemplate? { mode.map { KeyTemplate(mode: $0, parameters: parameters) } }
}
