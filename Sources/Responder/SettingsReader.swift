import Bytes
import FastCGI
import Glibc
import Redis
import System
import Webhook

/// Takes settings out of the environment, and collects what is wrong with them. An empty value counts as none.
///
/// A fault names the variable, what is wrong, and what is accepted. It never repeats a value that may be a secret.
struct SettingsReader {
    private let environment: [String: [UInt8]]
    private var known: Set<String> = []
    private(set) var faults: [String] = []
    private(set) var warnings: [String] = []
    /// Of the tenants file, from before it was read.
    private(set) var tenantsWatch: FileWatch?

    init(_ environment: [String: [UInt8]]) { self.environment = environment }

    /// A value as it is.
    private mutating func bytes(_ name: String) -> [UInt8]? {
        known.insert(name)
        guard let value = environment[name], !value.isEmpty else { return nil }
        guard let fault = SecretFiles.controlFault(in: value, of: name) else { return value }
        faults.append(fault)
        return nil
    }

    /// A value as text.
    private mutating func value(_ name: String) -> String? {
        guard let bytes = bytes(name) else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            faults.append("\(name) is not valid UTF-8")
            return nil
        }
        return text
    }

    mutating func number(_ name: String, _ range: ClosedRange<Int>, default standard: Int) -> Int {
        guard let value = value(name) else { return standard }
        guard let number = Int(value), range.contains(number) else {
            faults.append(
                "\(name) is \(quoted(value)): expected a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
            return standard
        }
        return number
    }

    /// Replaces a default where the environment has the setting.
    mutating func set(_ value: inout Int, _ name: String, _ range: ClosedRange<Int>) {
        value = number(name, range, default: value)
    }

    mutating func set(_ value: inout Nanoseconds, _ name: String, _ range: ClosedRange<Double>) {
        value = seconds(name, range, default: value.seconds)
    }

    mutating func seconds(_ name: String, _ range: ClosedRange<Double>, default standard: Double) -> Nanoseconds {
        guard let value = value(name) else { return .seconds(standard) }
        guard let number = Double(value), range.contains(number) else {
            faults.append(
                "\(name) is \(quoted(value)): expected seconds from \(range.lowerBound) to \(range.upperBound)")
            return .seconds(standard)
        }
        return .seconds(number)
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, default standard: Choice
    ) -> Choice {
        guard let value = value(name) else { return standard }
        guard let choice = Choice(rawValue: value) else {
            let accepted = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            faults.append("\(name) is \(quoted(value)): expected one of \(accepted)")
            return standard
        }
        return choice
    }

    mutating func text(_ name: String, limit: Int) -> String? {
        guard let value = value(name) else { return nil }
        guard value.utf8.count <= limit else {
            faults.append("\(name) has \(value.utf8.count) bytes: expected at most \(limit)")
            return nil
        }
        return value
    }

    /// The path of a file.
    mutating func path(_ name: String) -> String? { text(name, limit: Int(PATH_MAX) - 1) }

    mutating func logFile(_ name: String) -> String? {
        guard let path = path(name) else { return nil }
        do throws(SystemError) {
            try checkAppending(to: path)
        } catch {
            faults.append("\(name) is \(quoted(path)): expected a file that this user may append to (\(error))")
        }
        return path
    }

    mutating func directory(_ name: String) -> String? {
        guard let path = text(name, limit: 4000) else { return nil }
        do throws(SystemError) {
            try CounterPages.check(directory: path, layout: Metrics.layout)
        } catch {
            faults.append("\(name) is \(quoted(path)): expected a directory that this user may write to (\(error))")
        }
        return path
    }

    mutating func webServers(_ name: String) -> WebServerAddresses? {
        guard let value = value(name) else { return nil }
        guard let addresses = WebServerAddresses(value) else {
            faults.append("\(name) is \(quoted(value)): expected IPv4 addresses separated by commas")
            return nil
        }
        return addresses
    }

    /// A URL; its password may be in a file of its own.
    mutating func address(_ name: String, passwordFile: String?, default standard: String) -> Address {
        let faultCount = faults.count
        let url = value(name) ?? standard
        let password = passwordFile.flatMap { path in
            take { () throws(SettingsFault) in try SecretFiles.readPassword(path) }
        }
        guard faults.count == faultCount else { return Settings.anyAddress }
        do throws(AddressFault) {
            return try Address(url, password: password)
        } catch {
            faults.append("\(name) \(error)")
            return Settings.anyAddress
        }
    }

    /// What TLS to an address needs, if that is how it is spoken to.
    mutating func tls(of address: inout Address) -> TLSContext? {
        let files = TLSFiles(
            authorities: path(TLSFile.authorities.rawValue), certificate: path(TLSFile.certificate.rawValue),
            key: path(TLSFile.key.rawValue))
        guard address.tls != nil else {
            if files != TLSFiles() && faults.isEmpty {
                faults.append(
                    "files for TLS are set, but SERVICEDESK_REDIS_URL is not rediss://: unset them, or use TLS")
            }
            return nil
        }
        address = address.with(tls: files)
        return take { () throws(SettingsFault) in try TLSContext(reading: files) }
    }

    /// What a file holds; nil where it has faults.
    private mutating func take<Content>(_ read: () throws(SettingsFault) -> Content) -> Content? {
        do throws(SettingsFault) {
            return try read()
        } catch {
            faults += error.lines
            return nil
        }
    }

    /// `replicas,milliseconds`
    mutating func wait(_ name: String, timeout: Nanoseconds) -> (Int, Int)? {
        let range = 1...100
        guard let value = value(name) else { return nil }
        let parts = value.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let replicas = parts[0], let milliseconds = parts[1],
            range.contains(replicas), milliseconds >= 1, Double(milliseconds) / 1000 < timeout.seconds
        else {
            faults.append(
                "\(name) is \(quoted(value)): expected \(range.lowerBound) to \(range.upperBound) replicas and milliseconds below SERVICEDESK_REDIS_TIMEOUT, such as 1,100"
            )
            return nil
        }
        return (replicas, milliseconds)
    }

    /// One tenant must not push out the others' entries: its share is less than all, by default a tenth.
    mutating func quarantine() -> QuarantineLimits {
        let share = "SERVICEDESK_QUARANTINE_TENANT"
        let entries = number("SERVICEDESK_QUARANTINE", 0...100_000, default: 0)
        let limits = QuarantineLimits(
            entries: entries, age: number("SERVICEDESK_QUARANTINE_AGE", 60...31_536_000, default: 604_800),
            tenantEntries: number(share, 1...100_000, default: max(entries / 10, 1)))
        if entries > 1 && limits.tenantEntries >= entries {
            faults.append(
                "\(share) is \(limits.tenantEntries): expected less than SERVICEDESK_QUARANTINE, which is \(entries)")
        }
        return limits
    }

    mutating func jobMembers(_ name: String) -> JobMembers {
        guard let value = value(name) else { return [] }
        guard let members = JobMembers(value) else {
            let accepted = JobMembers.names.joined(separator: ", ")
            faults.append("\(name) is \(quoted(value)): expected names separated by commas, of \(accepted)")
            return []
        }
        return members
    }

    mutating func taskName(_ name: String) -> String {
        guard let value = value(name) else { return CeleryMessage.defaultTask }
        guard CeleryMessage.isTaskName(value) else {
            faults.append(
                "\(name) is \(quoted(value)): expected 1 to \(CeleryMessage.taskLimit) letters, digits, _ and .")
            return CeleryMessage.defaultTask
        }
        return value
    }

    /// The secrets: one for all tenants, from its variable or its file, or those of the tenants.
    mutating func secrets(_ name: String, file: String, tenants: String) -> (secrets: Secrets, source: SecretSource)? {
        let faultCount = faults.count
        let shared = bytes(name)
        let path = path(file)
        let tenantsPath = self.path(tenants)
        guard faults.count == faultCount else { return nil }
        switch (shared, path, tenantsPath) {
        case (let secret?, nil, nil):
            if let fault = SecretFiles.sharedFault(secret, of: name) { faults.append(fault) }
            if secret.span.standsInQuotes {
                warnings.append("\(name) is in quotes, which are part of it: remove them if they are not meant to be")
            }
            return (Secrets(shared: secret), .environment)
        case (nil, let path?, nil):
            let secret = take { () throws(SettingsFault) in try SecretFiles.readShared(path) }
            return secret.map { (Secrets(shared: $0), .file(path: path)) }
        case (nil, nil, let path?):
            tenantsWatch = FileWatch(path)
            let table = take { () throws(SettingsFault) in try SecretFiles.readTenants(path) }
            return table.map { (Secrets(tenants: $0), .tenants(path: path)) }
        case (nil, nil, nil):
            faults.append(
                "\(name) is not set: expected a secret of at least \(Secrets.minimumLength) bytes, its file in \(file), or a file of the tenants' secrets in \(tenants)"
            )
        default:
            let set = [(name, shared != nil), (file, path != nil), (tenants, tenantsPath != nil)].filter(\.1).map(\.0)
            faults.append("\(set.joined(separator: " and ")) are \(set.count > 2 ? "all" : "both") set: set only one")
        }
        return nil
    }

    /// Variables with our prefix that nothing reads: misspelt ones, most likely.
    func unknown() -> [String] {
        environment.keys.filter {
            $0.hasPrefix("SERVICEDESK_") && !known.contains($0) && !Settings.ofOthers.contains($0)
        }
        .sorted()
    }

    private func quoted(_ value: String) -> String {
        let shown = value.unicodeScalars.prefix(40).map { $0 < " " || $0 == "\u{7F}" ? "?" : String($0) }.joined()
        return value.unicodeScalars.count > 40 ? "\"\(shown)…\"" : "\"\(shown)\""
    }
}

extension Settings {
    /// Stands in where there is a fault already.
    static let anyAddress = try! Address("redis://127.0.0.1")
    /// Variables of the scripts that start the program, and of workers' tests.
    static let ofOthers: Set<String> = ["SERVICEDESK_PROGRAM", "SERVICEDESK_RATE", "SERVICEDESK_URL"]
}
