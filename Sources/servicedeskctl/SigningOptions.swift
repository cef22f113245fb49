import ArgumentParser
import Bytes
import System
import Webhook

/// Whose key signs a ticket.
struct SigningOptions: ParsableArguments {
    @Option(help: "The tenants file (default: SERVICEDESK_TENANTS_FILE).", completion: .file()) var tenantsFile: String?
    @Option(help: "Sign with a key of this tenant.") var tenant: String?
    @Option(help: "Sign with a key of this sender.") var sender: String?
    @Option(help: "The key's id (default: the first one that is accepted now).") var key: String?
    @Option(help: "standard-webhooks: the webhook-id (default: a new one).") var deliveryID: String?
    @Option(help: "The signed time, in seconds since 1970 (default: now).") var timestamp: Int?

    func validate() throws {
        guard tenant == nil || sender == nil else { throw ValidationError("give --tenant or --sender, not both") }
        guard key == nil || isNamed else { throw ValidationError("--key needs --tenant or --sender") }
    }

    /// Whether a tenant or sender is named; otherwise the secret is the one that all share.
    var isNamed: Bool { tenant != nil || sender != nil }

    var path: String { "/webhook/servicedesk" + (sender.map { "/\($0)" } ?? "") }

    private var now: Int { timestamp ?? Int(WallClock.now.microseconds / 1_000_000) }

    /// The key that signs.
    func heldKey() throws -> HeldKey {
        guard isNamed else { return HeldKey.shared(try Environment.secret()) }
        let owner = "\(sender == nil ? "tenant" : "sender") \(sender ?? tenant ?? "")"
        let id = Array((sender ?? tenant ?? "").utf8)
        let keys = try Environment.heldKeys(tenantsFile).filter { $0.isSender == (sender != nil) && $0.owner == id }
        guard !keys.isEmpty else { throw ValidationError("the tenants file has no key of \(owner)") }
        if let key {
            guard let found = keys.first(where: { $0.id == Array(key.utf8) }) else {
                throw ValidationError("\(owner) has no key \(key)")
            }
            return found
        }
        guard let found = keys.first(where: { $0.validity.cause(at: now) == nil }) else {
            throw ValidationError("\(owner) has no key that is accepted now: choose one with --key")
        }
        return found
    }

    /// The headers with which the key's holder sends a body.
    func headers(signing body: [UInt8], with key: HeldKey) throws -> [HeaderField] {
        let message = OutgoingMessage(id: Array((deliveryID ?? "msg_\(newUUID())").utf8), time: now)
        do throws(ModeFault) {
            return try key.headers(signing: body, as: message)
        } catch {
            throw ValidationError("key \(String(decoding: key.id, as: UTF8.self)): \(error.text)")
        }
    }

    private func newUUID() -> String {
        var random = RandomSource()
        var text: [UInt8] = []
        UUID(from: &random).append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

extension Environment {
    /// The keys of the tenants file, with their secrets.
    static func heldKeys(_ option: String?) throws -> [HeldKey] {
        guard let path = try option ?? text("SERVICEDESK_TENANTS_FILE") else {
            throw ValidationError("neither --tenants-file nor SERVICEDESK_TENANTS_FILE names a file")
        }
        var content = try tenantsText(path)
        defer { content.wipe() }
        do throws(TenantsFileFault) {
            guard content.first == UInt8(ascii: "{") else { return try TenantsFile.heldKeys(content.span) }
            return try TenantsJSON.heldKeys(content.span) { secretFile($0, besides: path) }
        } catch {
            throw ValidationError("\(path): \(error)")
        }
    }

    /// The keys of the tenants file, as the responder uses them.
    static func secrets(_ option: String?) throws -> Secrets {
        guard let path = try option ?? text("SERVICEDESK_TENANTS_FILE") else { return Secrets(shared: try secret()) }
        var content = try tenantsText(path)
        defer { content.wipe() }
        do throws(TenantsFileFault) {
            guard content.first == UInt8(ascii: "{") else {
                return Secrets(tenants: try TenantsFile.parse(content.span))
            }
            return Secrets(tenants: try TenantsJSON.parse(content.span) { secretFile($0, besides: path) })
        } catch {
            throw ValidationError("\(path): \(error)")
        }
    }

    private static func tenantsText(_ path: String) throws -> [UInt8] {
        do throws(SecretFileFault) {
            return try readSecretFile(path, limit: TenantsFile.sizeLimit)
        } catch {
            throw ValidationError("\(path) \(error)")
        }
    }

    private static func secretFile(_ name: String, besides path: String) -> Result<[UInt8], SecretReadFault> {
        Result { () throws(SecretFileFault) in try readSecret(name, besides: path) }
            .mapError { SecretReadFault(description: "\($0)") }
    }
}
