import COpenSSL
import Delivery
package import System

/// Who a server must prove to be: by a certificate for the name or the address that was connected to.
package struct TLSServer: Equatable, Sendable {
    let name: String
    let isAddress: Bool
}

/// What all TLS connections of a process have in common: whom to trust, the client certificate, and sessions to resume.
///
/// A resumed session is not verified again, so after a change of the files a new context is made, which has no sessions.
/// Several threads may connect with a context, but only one of them may resume sessions.
@safe package final class TLSContext: @unchecked Sendable {
    /// For how long a session is resumed after its server was verified: an expired certificate must not go unnoticed.
    package static let sessionAge = Nanoseconds.seconds(3600)
    /// Server names whose session is kept, at most.
    private static let sessionLimit = 64
    /// Those of TLS 1.3 (RFC 8446, appendix B.4), the cheapest first.
    private static let suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
    /// The names of a certificate are those of its subjectAltName (RFC 9525, section 6.3).
    private static let nameChecks = UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)

    @safe private struct Session {
        let session: OpaquePointer
        let verified: Instant
    }

    private let context: OpaquePointer
    private let sessionAge: Nanoseconds
    private var sessions: [String: Session] = [:]

    /// Reads the files.
    package init(_ files: TLSFiles, sessionAge: Nanoseconds = TLSContext.sessionAge) throws(TLSFileFault) {
        guard let method = unsafe TLS_client_method(), let context = unsafe SSL_CTX_new(method) else {
            TLSErrors.clear()
            throw .outOfMemory
        }
        unsafe self.context = context
        self.sessionAge = sessionAge
        _ = unsafe tls_require_1_2(context)
        unsafe SSL_CTX_set_options(context, UInt64(1) << 30)  // SSL_OP_NO_RENEGOTIATION
        _ = unsafe SSL_CTX_set_ciphersuites(context, TLSContext.suites)
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        unsafe tls_hand_out_sessions(context)
        unsafe SSL_CTX_sess_set_new_cb(context) { connection, session in
            guard let connection = unsafe connection, let session = unsafe session,
                let owner = unsafe tls_owner(connection)
            else { return 0 }
            return unsafe Unmanaged<TLSStream>.fromOpaque(owner).takeUnretainedValue().keep(session) ? 1 : 0
        }
        try unsafe files.load(into: context)
        TLSErrors.clear()
    }

    deinit {
        for name in Array(sessions.keys) { forgetSession(of: name) }
        unsafe SSL_CTX_free(context)
    }

    // MARK: Connections

    /// A new connection; nil for want of memory, or if the name is not valid.
    func makeConnection(to server: TLSServer, owner: UnsafeMutableRawPointer) -> OpaquePointer? {
        guard let connection = unsafe SSL_new(context) else { return nil }
        unsafe SSL_set_connect_state(connection)
        _ = unsafe tls_set_owner(connection, owner)
        let isNamed: Bool
        if server.isAddress {
            // Server Name Indication is not for addresses (RFC 6066, section 3).
            isNamed = unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), server.name) == 1
        } else {
            unsafe SSL_set_hostflags(connection, TLSContext.nameChecks)
            // To OpenSSL a name that begins with a full stop stands for every name that ends with it.
            isNamed =
                unsafe !server.name.hasPrefix(".") && tls_set_server_name(connection, server.name) == 1
                && SSL_set1_host(connection, server.name) == 1
        }
        TLSErrors.clear()
        guard isNamed else {
            unsafe SSL_free(connection)
            return nil
        }
        return unsafe connection
    }

    // MARK: Sessions

    /// Has a new connection resume the last session with that server. Returns when the server was verified for it, or nil
    /// if no session is resumed.
    func resume(on connection: OpaquePointer, to server: String) -> Instant? {
        guard let known = sessions[server] else { return nil }
        guard known.verified + sessionAge > .now else {
            forgetSession(of: server)
            return nil
        }
        return unsafe SSL_set_session(connection, known.session) == 1 ? known.verified : nil
    }

    /// Keeps a session, which the server has handed out, for the next connection to it. Returns whether there is room.
    func keep(_ session: OpaquePointer, of server: String, verified: Instant) -> Bool {
        guard sessions[server] != nil || sessions.count < TLSContext.sessionLimit else { return false }
        forgetSession(of: server)
        sessions[server] = unsafe Session(session: session, verified: verified)
        return true
    }

    /// Forgets the session of a server.
    func forgetSession(of server: String) {
        if let known = sessions.removeValue(forKey: server) { unsafe SSL_SESSION_free(known.session) }
    }
}
