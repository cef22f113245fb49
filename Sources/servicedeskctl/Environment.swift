import ArgumentParser
import Product
import Redis
import System

/// The settings that this tool shares with the responder.
enum Environment {
    /// A variable's value; an empty one counts as none.
    static func value(_ name: String) -> [UInt8]? { ProcessEnvironment.all[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// A variable's value as text.
    static func text(_ name: String) throws -> String? {
        guard let value = value(name) else { return nil }
        guard let text = String(validating: value, as: UTF8.self) else {
            throw ValidationError("\(name) is not valid UTF-8")
        }
        return text
    }

    /// A whole number, as the responder accepts it.
    static func number(_ name: String, _ range: ClosedRange<Int>, default standard: Int) throws -> Int {
        guard let text = try text(name) else { return standard }
        guard let number = Int(text), range.contains(number) else {
            throw ValidationError("\(name) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// One of several words, as the responder accepts it.
    static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, default standard: Choice
    ) throws -> Choice {
        guard let text = try text(name) else { return standard }
        guard let choice = Choice(rawValue: text) else {
            throw ValidationError("\(name) is not \(Choice.allCases.map(\.rawValue).joined(separator: " or "))")
        }
        return choice
    }

    /// The secret in the file that a variable names; nil if it names none.
    private static func secretInFile(_ name: String) throws -> [UInt8]? {
        guard let path = try text(name) else { return nil }
        do throws(SecretFileFault) {
            return try readSecret(path)
        } catch {
            throw ValidationError("\(name): \(path) \(error)")
        }
    }

    /// The secret of signatures.
    static func secret() throws -> [UInt8] {
        let (value, inFile) = (value("SERVICEDESK_SECRET"), try secretInFile("SERVICEDESK_SECRET_FILE"))
        guard value == nil || inFile == nil else {
            throw ValidationError("SERVICEDESK_SECRET and SERVICEDESK_SECRET_FILE are both set: set only one")
        }
        guard let secret = value ?? inFile else {
            throw ValidationError("neither SERVICEDESK_SECRET nor SERVICEDESK_SECRET_FILE is set")
        }
        return secret
    }

    /// Connects to the Redis that `SERVICEDESK_REDIS_URL` names.
    static func client() throws -> Client {
        let url = try text("SERVICEDESK_REDIS_URL") ?? Defaults.redisURL
        let password = try secretInFile("SERVICEDESK_REDIS_PASSWORD_FILE").map { String(decoding: $0, as: UTF8.self) }
        let address: Address
        do throws(AddressFault) {
            address = try Address(url, password: password)
        } catch {
            throw ValidationError("SERVICEDESK_REDIS_URL \(error)")
        }
        let files = TLSFiles(
            authorities: try text("SERVICEDESK_REDIS_CA_FILE"), certificate: try text("SERVICEDESK_REDIS_CERT_FILE"),
            key: try text("SERVICEDESK_REDIS_KEY_FILE"))
        return try Client(address.with(tls: files))
    }
}
