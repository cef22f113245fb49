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

    /// Connects to the Redis that `SERVICEDESK_REDIS_URL` names.
    static func client() throws -> Client {
        let url = try text("SERVICEDESK_REDIS_URL") ?? Defaults.redisURL
        let address: Address
        do throws(AddressFault) {
            address = try Address(url)
        } catch {
            throw ValidationError("SERVICEDESK_REDIS_URL \(error)")
        }
        return try Client(address)
    }
}
