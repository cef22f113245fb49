import EventLoop
import Redis
import Webhook

/// Takes settings out of the environment, and collects what is wrong with them. An empty value counts as none.
///
/// A fault names the variable, what is wrong, and what is accepted. It never repeats a value that may be a secret.
struct SettingsReader {
    private let environment: [String: String]
    private var known: Set<String> = []
    private(set) var faults: [String] = []

    init(_ environment: [String: String]) { self.environment = environment }

    private mutating func value(_ name: String) -> String? {
        known.insert(name)
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }

    mutating func number(_ name: String, _ range: ClosedRange<Int>, default standard: Int) -> Int {
        guard let value = value(name) else { return standard }
        guard let number = Int(value), range.contains(number) else {
            faults.append(
                "\(name) is \(quoted(value)): a whole number from \(range.lowerBound) to \(range.upperBound) is accepted"
            )
            return standard
        }
        return number
    }

    mutating func seconds(_ name: String, _ range: ClosedRange<Double>, default standard: Double) -> Nanoseconds {
        guard let value = value(name) else { return .seconds(standard) }
        guard let number = Double(value), range.contains(number) else {
            faults.append(
                "\(name) is \(quoted(value)): seconds from \(range.lowerBound) to \(range.upperBound) are accepted")
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
            faults.append("\(name) is \(quoted(value)): one of \(accepted) is accepted")
            return standard
        }
        return choice
    }

    mutating func text(_ name: String, limit: Int) -> String? {
        guard let value = value(name) else { return nil }
        guard value.utf8.count <= limit else {
            faults.append("\(name) has \(value.utf8.count) bytes: at most \(limit) are accepted")
            return nil
        }
        return value
    }

    mutating func directory(_ name: String) -> String? {
        guard let path = text(name, limit: 4000) else { return nil }
        do throws(SystemError) {
            _ = try CounterPages(directory: path, layout: Metrics.layout)
        } catch {
            faults.append("\(name) is \(quoted(path)): a directory that this user may write to is accepted (\(error))")
        }
        return path
    }

    mutating func address(_ name: String, default standard: String) -> Address {
        do throws(Address.Fault) {
            return try Address(value(name) ?? standard)
        } catch {
            faults.append("\(name) \(error)")
            return Settings.anyAddress
        }
    }

    /// `replicas,milliseconds`
    mutating func wait(_ name: String, timeout: Nanoseconds) -> (Int, Int)? {
        guard let value = value(name) else { return nil }
        let parts = value.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let replicas = parts[0], let milliseconds = parts[1],
            (1...100).contains(replicas), milliseconds >= 1, Double(milliseconds) / 1000 < timeout.seconds
        else {
            faults.append(
                "\(name) is \(quoted(value)): 1 to 100 replicas and milliseconds below SERVICEDESK_REDIS_TIMEOUT are accepted, such as 1,100"
            )
            return nil
        }
        return (replicas, milliseconds)
    }

    mutating func secrets(_ name: String, tenants: String, file: String?) -> Secrets {
        let shared = value(name)
        switch (shared, file) {
        case (let secret?, nil):
            if secret.utf8.count < Secrets.minimumLength {
                faults.append(
                    "\(name) has \(secret.utf8.count) bytes: at least \(Secrets.minimumLength) are accepted, as `openssl rand -hex 32` gives"
                )
            }
            return Secrets(shared: Array(secret.utf8))
        case (nil, let file?):
            do throws(Settings.Faults) {
                return try Settings.readTenants(file)
            } catch {
                faults += error.lines.map { "\(tenants): \($0)" }
            }
        case (nil, nil):
            faults.append(
                "\(name) is not set: a secret of at least \(Secrets.minimumLength) bytes, or a file of the tenants' secrets in \(tenants), is required"
            )
        case (_?, _?):
            faults.append("\(name) is set beside \(tenants): only one of them is accepted")
        }
        return Secrets(tenants: [:])
    }

    /// Variables with our prefix that nothing reads: misspelt ones, most likely.
    func unknown() -> [String] {
        environment.keys.filter {
            $0.hasPrefix("SERVICEDESK_") && !known.contains($0) && !Settings.ofOthers.contains($0)
        }
        .sorted()
    }

    private func quoted(_ value: String) -> String {
        let shown = value.unicodeScalars.prefix(40).map { $0.value < 32 || $0.value == 127 ? "?" : String($0) }.joined()
        return value.unicodeScalars.count > 40 ? "\"\(shown)…\"" : "\"\(shown)\""
    }
}

extension Settings {
    /// Stands in where there is a fault already.
    static let anyAddress = try! Address("redis://127.0.0.1")
    /// Variables of the scripts that start the program.
    static let ofOthers: Set<String> = ["SERVICEDESK_PROGRAM", "SERVICEDESK_RATE"]
}
