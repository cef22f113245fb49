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

    init(_ environment: [String: [UInt8]]) { self.environment = environment }

    /// A value as it is. What no editor shows at its ends, such as the CR of a file from Windows, is a fault.
    private mutating func bytes(_ name: String) -> [UInt8]? {
        known.insert(name)
        guard let value = environment[name], let first = value.first, let last = value.last else { return nil }
        for (end, byte) in [("begins", first), ("ends", last)] where byte.isControl {
            let code = (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            faults.append("\(name) \(end) with the control character 0x\(code): remove it")
            return nil
        }
        return value
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

    mutating func address(_ name: String, default standard: String) -> Address {
        do throws(AddressFault) {
            return try Address(value(name) ?? standard)
        } catch {
            faults.append("\(name) \(error)")
            return Settings.anyAddress
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

    mutating func secrets(_ name: String, tenants: String, file: String?) -> Secrets? {
        let faultCount = faults.count
        let shared = bytes(name)
        guard faults.count == faultCount else { return nil }
        switch (shared, file) {
        case (let secret?, nil):
            if secret.count < Secrets.minimumLength {
                faults.append(
                    "\(name) has \(secret.count) bytes: expected at least \(Secrets.minimumLength), such as the output of `openssl rand -hex 32`"
                )
            }
            return Secrets(shared: secret)
        case (nil, let file?):
            do throws(SettingsFault) {
                return Secrets(tenants: try Settings.readTenants(file))
            } catch {
                faults += error.lines.map { "\(tenants): \($0)" }
            }
        case (nil, nil):
            faults.append(
                "\(name) is not set: expected a secret of at least \(Secrets.minimumLength) bytes, or a file of the tenants' secrets in \(tenants)"
            )
        case (_?, _?):
            faults.append("\(name) and \(tenants) are both set: set only one")
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
