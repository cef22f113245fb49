import COpenSSL

/// What the connections of a TLS server have in common.
@safe package final class MemoryTLSContext {
    fileprivate let context: OpaquePointer

    /// - Parameters:
    ///   - newest: its newest version of TLS.
    ///   - authority: who must have issued the client's certificate; nil: it asks for none.
    package init(
        _ certificate: ThrowawayCertificate, newest: Int32 = TLS1_3_VERSION,
        clientsOf authority: ThrowawayCertificate? = nil
    ) {
        unsafe context = SSL_CTX_new(TLS_server_method())!
        precondition(unsafe SSL_CTX_use_certificate_file(context, certificate.path, SSL_FILETYPE_PEM) == 1)
        precondition(unsafe SSL_CTX_use_PrivateKey_file(context, certificate.keyPath, SSL_FILETYPE_PEM) == 1)
        precondition(unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(newest), nil) == 1)
        // Without it, a session cannot be resumed where clients have certificates.
        precondition(unsafe SSL_CTX_set_session_id_context(context, "test", 4) == 1)
        if let authority {
            precondition(unsafe SSL_CTX_load_verify_file(context, authority.path) == 1)
            unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
    }

    deinit { unsafe SSL_CTX_free(context) }
}

/// A server's end of TLS, over bytes in memory.
@safe package final class MemoryTLSServer {
    private let connection: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    package init(_ context: MemoryTLSContext) {
        unsafe connection = SSL_new(context.context)!
        unsafe incoming = BIO_new(BIO_s_mem())!
        unsafe outgoing = BIO_new(BIO_s_mem())!
        unsafe SSL_set_bio(connection, incoming, outgoing)
        unsafe SSL_set_accept_state(connection)
    }

    deinit { unsafe SSL_free(connection) }

    /// Takes bytes from the client, and goes on with the handshake.
    package func feed(_ bytes: [UInt8]) {
        if !bytes.isEmpty { _ = unsafe BIO_write(incoming, bytes, Int32(bytes.count)) }
        if !isEstablished { _ = unsafe SSL_do_handshake(connection) }
        ERR_clear_error()
    }

    package var isEstablished: Bool { unsafe SSL_is_init_finished(connection) == 1 }

    /// All that can be decrypted.
    package func read() -> [UInt8] {
        var plain: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 20_000)
        while true {
            let count = unsafe SSL_read(connection, &chunk, Int32(chunk.count))
            ERR_clear_error()
            guard count > 0 else { return plain }
            plain += chunk[..<Int(count)]
        }
    }

    package func write(_ bytes: [UInt8]) { _ = unsafe SSL_write(connection, bytes, Int32(bytes.count)) }

    /// Sends close_notify.
    package func end() { _ = unsafe SSL_shutdown(connection) }

    /// Schedules a key update, which asks the client for one too. The next `write` or `flush` sends it.
    package func updateKeys() { _ = unsafe SSL_key_update(connection, SSL_KEY_UPDATE_REQUESTED) }

    /// Sends a scheduled key update with no data behind it.
    package func flush() { _ = unsafe SSL_do_handshake(connection) }

    package var isResumed: Bool { unsafe SSL_session_reused(connection) == 1 }
    /// The name that the client has asked for.
    package var askedName: String? {
        unsafe SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name).map { unsafe String(cString: $0) }
    }

    /// What it has for the client.
    package func takeOutput() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(unsafe BIO_ctrl_pending(outgoing)))
        if !bytes.isEmpty { _ = unsafe BIO_read(outgoing, &bytes, Int32(bytes.count)) }
        return bytes
    }
}
