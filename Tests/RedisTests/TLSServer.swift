import COpenSSL
import Glibc

@testable import Redis

/// The server's end of TLS in memory, with a certificate that a throwaway CA has issued.
@safe final class MemoryTLSServer {
    private let context: OpaquePointer
    private let connection: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    init(_ certificate: ThrowawayCertificate) {
        unsafe context = SSL_CTX_new(TLS_server_method())!
        precondition(unsafe SSL_CTX_use_certificate_file(context, certificate.path, SSL_FILETYPE_PEM) == 1)
        precondition(unsafe SSL_CTX_use_PrivateKey_file(context, certificate.keyPath, SSL_FILETYPE_PEM) == 1)
        unsafe connection = SSL_new(context)!
        unsafe incoming = BIO_new(BIO_s_mem())!
        unsafe outgoing = BIO_new(BIO_s_mem())!
        unsafe SSL_set_bio(connection, incoming, outgoing)
        unsafe SSL_set_accept_state(connection)
    }

    deinit {
        unsafe SSL_free(connection)
        unsafe SSL_CTX_free(context)
    }

    /// Takes bytes from the client, and goes on with the handshake.
    func feed(_ bytes: [UInt8]) {
        if !bytes.isEmpty { _ = unsafe BIO_write(incoming, bytes, Int32(bytes.count)) }
        if unsafe SSL_is_init_finished(connection) == 0 { _ = unsafe SSL_do_handshake(connection) }
    }

    /// All that can be decrypted.
    func read() -> [UInt8] {
        var plain: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 20_000)
        while true {
            let count = unsafe SSL_read(connection, &chunk, Int32(chunk.count))
            guard count > 0 else { return plain }
            plain += chunk[..<Int(count)]
        }
    }

    func write(_ bytes: [UInt8]) { _ = unsafe SSL_write(connection, bytes, Int32(bytes.count)) }

    /// Sends close_notify.
    func end() { _ = unsafe SSL_shutdown(connection) }

    func updateKeys() { _ = unsafe SSL_key_update(connection, SSL_KEY_UPDATE_REQUESTED) }

    var wasResumed: Bool { unsafe SSL_session_reused(connection) == 1 }

    /// What it has for the client.
    func takeOutput() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(unsafe BIO_ctrl_pending(outgoing)))
        if !bytes.isEmpty { _ = unsafe BIO_read(outgoing, &bytes, Int32(bytes.count)) }
        return bytes
    }
}

/// Files in a directory of their own: a certificate that has signed itself, for a name and an address, and its key.
final class ThrowawayCertificate {
    let directory: String
    var path: String { "\(directory)/certificate.pem" }
    var keyPath: String { "\(directory)/key.pem" }

    init(_ names: String = "DNS:redis.test,IP:127.0.0.1") {
        var template = Array("/tmp/tls-XXXXXX".utf8CString)
        directory = unsafe String(cString: mkdtemp(&template))
        let command = """
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test \
            -addext 'subjectAltName=\(names)' -keyout '\(keyPath)' -out '\(path)' 2>/dev/null
            """
        precondition(unsafe system(command) == 0, "openssl failed")
    }

    deinit {
        for path in [path, keyPath] { unsafe unlink(path) }
        unsafe rmdir(directory)
    }
}
