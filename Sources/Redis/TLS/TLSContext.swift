import COpenSSL
import Delivery
import System

/// The files that TLS takes from an operator. None: the system's CAs, and no client certificate.
package struct TLSFiles: Equatable, Sendable {
    package var authorities: String?
    package var certificate: String?
    package var key: String?

    package init(authorities: String? = nil, certificate: String? = nil, key: String? = nil) {
        (self.authorities, self.certificate, self.key) = (authorities, certificate, key)
    }
}

/// Who a server must prove to be: by a certificate for the name or the address that was connected to.
package struct TLSServer: Equatable, Sendable {
    let name: String
    let isAddress: Bool
}

/// A file of TLS that cannot be used.
package enum TLSFileFault: Error, Equatable {
    case authorities(String)
    case certificate(String)
    case key(String)
    /// The key is that of another certificate.
    case keyMismatch
    case outOfMemory
}

/// What all TLS connections of a process have in common: whom to trust, the client certificate, and sessions to resume.
///
/// A resumed session is not verified again. So whoever changes the files makes another context, which has none.
@safe package final class TLSContext: @unchecked Sendable {
    /// Server names whose session is kept, at most.
    private static let sessionLimit = 64

    /// Those of TLS 1.3 (RFC 8446, appendix B.4), the cheapest first.
    private static let suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

    private let context: OpaquePointer
    private var sessions: [String: OpaquePointer] = unsafe [:]

    /// Reads the files.
    package init(_ files: TLSFiles) throws(TLSFileFault) {
        TLSErrors.clear()
        guard let method = unsafe TLS_client_method(), let context = unsafe SSL_CTX_new(method) else {
            throw .outOfMemory
        }
        unsafe self.context = context
        _ = unsafe tls_require_1_2(context)
        unsafe SSL_CTX_set_options(context, UInt64(1) << 30)  // SSL_OP_NO_RENEGOTIATION
        _ = unsafe SSL_CTX_set_ciphersuites(context, TLSContext.suites)
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        unsafe tls_hand_out_sessions(context)
        unsafe SSL_CTX_sess_set_new_cb(context) { connection, session in
            guard let connection = unsafe connection, let session = unsafe session,
                let owner = unsafe tls_owner(connection)
            else { return 0 }
            unsafe Unmanaged<TLSStream>.fromOpaque(owner).takeUnretainedValue().keep(session)
            return 1
        }
        try load(files)
    }

    private func load(_ files: TLSFiles) throws(TLSFileFault) {
        if let path = files.authorities {
            guard unsafe SSL_CTX_load_verify_file(context, path) == 1 else { throw .authorities(TLSErrors.fileFault()) }
        } else {
            // Without any CA no certificate is trusted: the handshake fails and says so.
            _ = unsafe SSL_CTX_set_default_verify_paths(context)
        }
        if let path = files.certificate {
            guard unsafe SSL_CTX_use_certificate_chain_file(context, path) == 1 else {
                throw .certificate(TLSErrors.fileFault())
            }
        }
        if let path = files.key {
            guard unsafe SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1 else {
                throw TLSErrors.lastReason == 116 ? .keyMismatch : .key(TLSErrors.fileFault())
            }
            guard unsafe SSL_CTX_check_private_key(context) == 1 else { throw .keyMismatch }
        }
        TLSErrors.clear()
    }

    deinit {
        while let (_, session) = unsafe sessions.popFirst() { unsafe SSL_SESSION_free(session) }
        unsafe SSL_CTX_free(context)
    }

    // MARK: Connections

    /// A new connection, which resumes a session if there is one; nil for want of memory, or if the name is not valid.
    func makeConnection(to server: TLSServer, owner: UnsafeMutableRawPointer) -> OpaquePointer? {
        guard let connection = unsafe SSL_new(context) else { return nil }
        unsafe SSL_set_connect_state(connection)
        _ = unsafe tls_set_owner(connection, owner)
        let isNamed: Bool
        if server.isAddress {
            // Server Name Indication is not for addresses (RFC 6066, section 3).
            isNamed = unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), server.name) == 1
        } else {
            isNamed =
                unsafe tls_set_server_name(connection, server.name) == 1 && SSL_set1_host(connection, server.name) == 1
        }
        guard isNamed else {
            unsafe SSL_free(connection)
            return nil
        }
        if let session = unsafe sessions[server.name] { _ = unsafe SSL_set_session(connection, session) }
        return unsafe connection
    }

    /// Keeps a session, which the server has handed out, for the next connection to it.
    func keep(_ session: OpaquePointer, of server: String) {
        if let old = unsafe sessions[server] {
            unsafe SSL_SESSION_free(old)
        } else if unsafe sessions.count >= TLSContext.sessionLimit {
            return unsafe SSL_SESSION_free(session)
        }
        unsafe sessions[server] = session
    }

    /// Forgets the session of a server that did not accept it.
    func forgetSession(of server: String) {
        if let session = unsafe sessions.removeValue(forKey: server) { unsafe SSL_SESSION_free(session) }
    }
}
