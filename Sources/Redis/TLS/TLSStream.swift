import Bytes
import COpenSSL
import Delivery
import DequeModule
import System

/// TLS over bytes in memory: what the server sent goes in, what it is to be sent comes out. No socket.
@safe final class TLSStream {
    /// Bytes of plaintext in one record, at most (RFC 8446, section 5.1).
    private static let recordLimit = 16_384

    enum Handshake: Equatable {
        case done, underWay
        case failed(TLSFailure)
    }

    enum Reading: Equatable {
        case bytes(Int)
        case needsMore
        /// The server has ended the connection in order.
        case ended
        case failed(TLSFailure)
    }

    private let context: TLSContext
    private let server: TLSServer
    private var connection: OpaquePointer?
    private let ciphertext = Ciphertext()
    /// Whether the handshake is done, and nothing has failed since.
    private var isUsable = false
    /// What came behind bytes that were handed out: the end of the connection.
    private var pendingEnd: Reading?
    /// When the session that is to be resumed was verified; nil: none is.
    private var verification: Instant?
    private let resumes: Bool

    /// How many bytes of ciphertext the kernel has taken.
    private var taken: UInt64 = 0
    /// Where each record of plaintext ends: in the ciphertext, and in the plaintext.
    private var records = Deque<(cipherEnd: UInt64, plainEnd: UInt64)>()
    private var encrypted: UInt64 = 0
    /// How much of the plaintext is in records of which every byte was taken: only those can be decrypted.
    private(set) var delivered: UInt64 = 0

    /// - Parameter resumes: whether it resumes sessions and keeps new ones; only where the context belongs to this thread.
    init?(_ context: TLSContext, to server: TLSServer, resumes: Bool) {
        (self.context, self.server, self.resumes) = (context, server, resumes)
        let owner = unsafe Unmanaged.passUnretained(self).toOpaque()
        guard let connection = unsafe context.makeConnection(to: server, owner: owner) else { return nil }
        unsafe self.connection = connection
        guard let bio = unsafe ciphertext.makeBIO() else { return nil }
        unsafe SSL_set_bio(connection, bio, bio)
        if resumes { verification = unsafe context.resume(on: connection, to: server.name) }
    }

    deinit { close() }

    /// Adds close_notify to the output (RFC 8446, section 6.1), unless there is output before it or no handshake was done.
    func end() {
        guard let connection = unsafe connection, isUsable, output.isEmpty else { return }
        _ = unsafe SSL_shutdown(connection)
        TLSErrors.clear()
    }

    func close() {
        if let connection = unsafe connection {
            // Otherwise OpenSSL takes the connection for broken, and its session with it.
            if isUsable { unsafe SSL_set_shutdown(connection, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
            unsafe SSL_free(connection)
        }
        unsafe connection = nil
    }

    // MARK: Handshake

    /// Goes as far as what was fed allows. The output may have grown, whatever the result.
    func handshake() -> Handshake {
        guard let connection = unsafe connection else { return .failed(.other("closed")) }
        TLSErrors.clear()
        let result = unsafe SSL_do_handshake(connection)
        let error = unsafe SSL_get_error(connection, result)
        isUsable = result == 1
        if isUsable { return .done }
        if error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE { return .underWay }
        if resumes { context.forgetSession(of: server.name) }
        return .failed(unsafe TLSErrors.failure(of: connection, with: server.name, inHandshake: true))
    }

    /// Takes a session that the server has handed out. Returns whether it is kept.
    func keep(_ session: OpaquePointer) -> Bool {
        guard resumes, let connection = unsafe connection else { return false }
        // One that comes of another is as old as that.
        let isResumed = unsafe SSL_session_reused(connection) == 1
        return unsafe context.keep(session, of: server.name, verified: isResumed ? verification ?? .now : .now)
    }

    // MARK: In

    /// Takes bytes that the server has sent.
    func feed(_ bytes: Span<UInt8>) { ciphertext.add(bytes) }

    /// Whether bytes that were fed have not been read.
    var hasInput: Bool {
        guard let connection = unsafe connection else { return false }
        return unsafe pendingEnd != nil || ciphertext.hasInput || SSL_pending(connection) > 0
    }

    /// Decrypts into the buffer, behind what it holds.
    func read(into buffer: inout [UInt8], after filled: Int) -> Reading {
        guard let connection = unsafe connection else { return .ended }
        if let end = pendingEnd {
            pendingEnd = nil
            return end
        }
        var count = 0
        while filled + count < buffer.count {
            TLSErrors.clear()
            let room = buffer.count - filled - count
            let result = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe SSL_read(connection, bytes.baseAddress?.advanced(by: filled + count), Int32(room))
            }
            if result > 0 {
                count += Int(result)
                guard hasInput else { return .bytes(count) }
                continue
            }
            switch unsafe SSL_get_error(connection, result) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return count > 0 ? .bytes(count) : .needsMore
            case SSL_ERROR_ZERO_RETURN: return end(.ended, after: count)
            default:
                let failure = unsafe TLSErrors.failure(of: connection, with: server.name, inHandshake: !isUsable)
                isUsable = false
                return end(.failed(failure), after: count)
            }
        }
        return .bytes(count)
    }

    /// What was decrypted first is handed out first. OpenSSL tells an end only once.
    private func end(_ end: Reading, after count: Int) -> Reading {
        guard count > 0 else { return end }
        pendingEnd = end
        return .bytes(count)
    }

    // MARK: Out

    /// Encrypts bytes, a record for each 16 KiB, into the output. Returns why it cannot.
    func write(_ bytes: Span<UInt8>) -> TLSFailure? {
        guard let connection = unsafe connection else { return .other("closed") }
        var start = 0
        while start < bytes.count {
            let record = bytes.extracting(start..<min(start + TLSStream.recordLimit, bytes.count))
            TLSErrors.clear()
            let result = unsafe record.withUnsafeBytes {
                unsafe SSL_write(connection, $0.baseAddress, Int32($0.count))
            }
            guard result == Int32(record.count) else {
                isUsable = false
                return unsafe TLSErrors.failure(of: connection, with: server.name, inHandshake: false)
            }
            start += record.count
            encrypted += UInt64(record.count)
            records.append((taken + UInt64(output.count), encrypted))
        }
        return nil
    }

    /// Ciphertext for the server that has not been taken yet.
    var output: [UInt8] { ciphertext.output }

    /// Lends the output. As long as another has the array, `took` cannot use its memory again.
    func withOutput<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        let output = ciphertext.output
        return body(output.span)
    }

    /// The first bytes of the output are the kernel's now.
    func took(_ count: Int) {
        ciphertext.removeOutput(count)
        taken += UInt64(count)
        while let record = records.first, record.cipherEnd <= taken {
            delivered = record.plainEnd
            records.removeFirst()
        }
    }
}
