import Bytes
import COpenSSL
import System

/// A file that TLS takes from an operator, by the setting that names it.
package enum TLSFile: String {
    case authorities = "SERVICEDESK_REDIS_CA_FILE"
    case certificate = "SERVICEDESK_REDIS_CERT_FILE"
    case key = "SERVICEDESK_REDIS_KEY_FILE"
}

/// The paths of those files. None: the system's CAs, and no client certificate.
package struct TLSFiles: Equatable, Sendable {
    package var authorities: String?
    package var certificate: String?
    package var key: String?

    package init(authorities: String? = nil, certificate: String? = nil, key: String? = nil) {
        (self.authorities, self.certificate, self.key) = (authorities, certificate, key)
    }
}

/// A file of TLS that cannot be used.
package struct TLSFileFault: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ file: TLSFile, _ path: String, _ reason: String) {
        description = "\(file.rawValue): \(path) \(reason)"
    }

    private init(_ description: String) { self.description = description }

    static let outOfMemory = TLSFileFault("no memory for TLS")
    static let halfPair = TLSFileFault(
        "\(TLSFile.certificate.rawValue) and \(TLSFile.key.rawValue) need each other: set both or neither")
}

extension TLSFiles {
    /// Bytes of a key, at most.
    private static let keyLimit = 1_048_576

    /// Loads the files into a context.
    func load(into context: OpaquePointer) throws(TLSFileFault) {
        guard (certificate == nil) == (key == nil) else { throw .halfPair }
        if let path = authorities {
            try use(.authorities, path) { unsafe SSL_CTX_load_verify_file(context, path) }
        } else {
            // Without any CA no certificate is trusted: the handshake fails and says so.
            _ = unsafe SSL_CTX_set_default_verify_paths(context)
        }
        guard let certificate, let key else { return }
        try use(.certificate, certificate) { unsafe SSL_CTX_use_certificate_chain_file(context, certificate) }
        try checkRights(of: key)
        // Otherwise OpenSSL would ask for the pass phrase, and wait for it.
        unsafe SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
        try use(.key, key) { unsafe SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) }
        guard unsafe SSL_CTX_check_private_key(context) == 1 else { throw TLSFiles.mismatch(key) }
    }

    private func use(_ file: TLSFile, _ path: String, _ load: () -> Int32) throws(TLSFileFault) {
        // A FIFO would be waited for.
        guard isRegularFileOrMissing(path) else { throw TLSFileFault(file, path, "is not a regular file") }
        TLSErrors.clear()
        guard load() != 1 else { return }
        defer { TLSErrors.clear() }
        if file == .key && TLSErrors.isKeyMismatch { throw TLSFiles.mismatch(path) }
        throw TLSFileFault(file, path, "cannot be used: \(TLSErrors.fileFault)")
    }

    private static func mismatch(_ path: String) -> TLSFileFault {
        TLSFileFault(.key, path, "is not the key of \(TLSFile.certificate.rawValue)")
    }

    /// A key is a secret.
    private func checkRights(of path: String) throws(TLSFileFault) {
        do throws(SecretFileFault) {
            var content = try readSecretFile(path, limit: TLSFiles.keyLimit)
            content.wipe()
        } catch {
            throw TLSFileFault(.key, path, "\(error)")
        }
    }
}
