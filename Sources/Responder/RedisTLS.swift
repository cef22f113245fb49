import Bytes
import Redis
import System
import Webhook

/// The files of TLS to Redis.
enum RedisTLS {
    static let authorities = "SERVICEDESK_REDIS_CA_FILE"
    static let certificate = "SERVICEDESK_REDIS_CERT_FILE"
    static let key = "SERVICEDESK_REDIS_KEY_FILE"

    /// Reads the files of an address; nil if it is spoken to without TLS.
    static func context(for address: Address) throws(SettingsFault) -> TLSContext? {
        guard let files = address.tls else { return nil }
        if let key = files.key { try checkRights(of: key) }
        do throws(TLSFileFault) {
            return try TLSContext(files)
        } catch {
            throw SettingsFault(lines: [line(error, files)])
        }
    }

    /// A key is a secret.
    private static func checkRights(of path: String) throws(SettingsFault) {
        do throws(SecretFileFault) {
            var content = try readSecretFile(path, limit: 1_048_576)
            content.wipe()
        } catch {
            throw SettingsFault(lines: ["\(key): \(path) \(error)"])
        }
    }

    private static func line(_ fault: TLSFileFault, _ files: TLSFiles) -> String {
        switch fault {
        case .authorities(let reason): "\(authorities): \(files.authorities ?? "") cannot be used: \(reason)"
        case .certificate(let reason): "\(certificate): \(files.certificate ?? "") cannot be used: \(reason)"
        case .key(let reason): "\(key): \(files.key ?? "") cannot be used: \(reason)"
        case .keyMismatch: "\(key): \(files.key ?? "") is not the key of \(certificate)"
        case .outOfMemory: "no memory for TLS"
        }
    }
}
