import Bytes
import System
import Webhook

/// Where the secrets of the signatures come from.
enum SecretSource: Equatable, Sendable {
    case environment
    case file(path: String)
    case tenants(path: String)
}

/// Reads the files that hold secrets, at the start and on HUP. A fault is one line that names setting and path, and neither
/// tenants nor secrets.
enum SecretFiles {
    /// The tenants and their secrets.
    static func readTenants(_ path: String) throws(SettingsFault) -> TenantTable {
        let name = "SERVICEDESK_TENANTS_FILE"
        var content: [UInt8]
        do throws(SecretFileFault) {
            content = try readSecretFile(path, limit: TenantsFile.sizeLimit)
        } catch {
            throw SettingsFault(lines: ["\(name): \(path) \(error)"], passesByItself: error.passesByItself)
        }
        defer { content.wipe() }
        var passesByItself = false
        do throws(TenantsFileFault) {
            let isJSON = content.first == UInt8(ascii: "{")
            let tenants =
                isJSON
                ? try TenantsJSON.parse(content.span) { name in
                    readSecret(name, besides: path, &passesByItself)
                }
                : try TenantsFile.parse(content.span)
            tenants.fileDigest = TenantTable.fileDigest(of: content.span)
            return tenants
        } catch {
            throw SettingsFault(lines: ["\(name): \(path): \(error)"], passesByItself: passesByItself)
        }
    }

    /// The secret in a file that the tenants file names.
    private static func readSecret(
        _ name: String, besides path: String, _ passesByItself: inout Bool
    ) -> Result<[UInt8], SecretReadFault> {
        do throws(SecretFileFault) {
            return .success(try System.readSecret(name, besides: path))
        } catch {
            passesByItself = passesByItself || error.passesByItself
            return .failure(SecretReadFault(description: "\(error)"))
        }
    }

    /// The one secret for all tenants.
    static func readShared(_ path: String) throws(SettingsFault) -> [UInt8] {
        let name = "SERVICEDESK_SECRET_FILE"
        let secret = try read(path, of: name)
        if let fault = sharedFault(secret, of: "\(name): \(path)") { throw SettingsFault(lines: [fault]) }
        return secret
    }

    /// Redis' password.
    static func readPassword(_ path: String) throws(SettingsFault) -> String {
        let name = "SERVICEDESK_REDIS_PASSWORD_FILE"
        let bytes = try read(path, of: name)
        guard let password = String(validating: bytes, as: UTF8.self) else {
            throw SettingsFault(lines: ["\(name): \(path) is not valid UTF-8"])
        }
        return password
    }

    /// The secret that is all of a file.
    private static func read(_ path: String, of name: String) throws(SettingsFault) -> [UInt8] {
        let secret: [UInt8]
        do throws(SecretFileFault) {
            secret = try System.readSecret(path)
        } catch {
            throw SettingsFault(lines: ["\(name): \(path) \(error)"])
        }
        if let fault = controlFault(in: secret, of: "\(name): \(path)") { throw SettingsFault(lines: [fault]) }
        return secret
    }

    /// What is wrong with the one secret for all tenants.
    static func sharedFault(_ secret: [UInt8], of name: String) -> String? {
        if PublishedSecrets.contain(secret) { return "\(name) is \(PublishedSecrets.fault)" }
        guard secret.count < Secrets.minimumLength else { return nil }
        return
            "\(name) has \(secret.count) bytes: expected at least \(Secrets.minimumLength), such as the output of `openssl rand -hex 32`"
    }

    /// What no editor shows at the ends of a value, such as the CR of a file from Windows.
    static func controlFault(in value: [UInt8], of name: String) -> String? {
        System.controlFault(in: value).map { "\(name) \($0)" }
    }
}
