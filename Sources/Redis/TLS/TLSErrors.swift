import COpenSSL
import Delivery
import System

/// OpenSSL's errors in an operator's words.
enum TLSErrors {
    /// Empties the queue of errors, which the result of a call is judged by. To empty an empty one is not cheap.
    static func clear() { if ERR_peek_error() != 0 { ERR_clear_error() } }

    /// Whether a key was refused as that of another certificate.
    static var isKeyMismatch: Bool {
        let code = ERR_peek_last_error()
        return tls_error_library(code) == ERR_LIB_X509 && tls_error_reason(code) == X509_R_KEY_VALUES_MISMATCH
    }

    /// Why a file cannot be used, by the queue of errors.
    static var fileFault: String {
        // The first error is the cause; later ones say what failed because of it.
        let first = ERR_peek_error()
        guard first != 0 else { return "unknown error" }
        // A failed system call: its reason is the error number.
        if tls_error_library(first) == ERR_LIB_SYS { return SystemError.text(tls_error_reason(first)) }
        switch (tls_error_library(first), tls_error_reason(first)) {
        case (ERR_LIB_PEM, PEM_R_PROBLEMS_GETTING_PASSWORD), (ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ),
            (ERR_LIB_CRYPTO, tls_pass_phrase_refused):
            return "it is encrypted: expected a key without a pass phrase"
        case (ERR_LIB_PEM, _): return "it is not PEM, or does not contain the expected certificate or key"
        default: return text(ofReason: first) ?? "it cannot be used"
        }
    }

    /// Why a handshake or a connection failed. Empties the queue of errors.
    static func failure(of connection: OpaquePointer, with server: String, inHandshake: Bool) -> TLSFailure {
        let code = takeError()
        let verification = unsafe SSL_get_verify_result(connection)
        if verification != Int(X509_V_OK) { return certificateFailure(verification, server) }
        guard tls_error_library(code) == ERR_LIB_SSL else { return .other(text(ofReason: code) ?? "unknown error") }
        switch tls_error_reason(code) {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG:
            if inHandshake { return .notTLS }
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return .certificateRequired
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_TLSV1_ALERT_ACCESS_DENIED:
            return .certificateRefused
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_PROTOCOLS_AVAILABLE:
            return .noCommonVersion
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE: return .handshakeRefused
        default: break
        }
        return .other(text(ofReason: code) ?? "unknown error")
    }

    /// The last error of TLS itself, or else the first. Below one of TLS others can lie that say what it failed for.
    private static func takeError() -> UInt {
        let first = ERR_get_error()
        var (code, next) = (first, first)
        while next != 0 {
            if tls_error_library(next) == ERR_LIB_SSL { code = next }
            next = ERR_get_error()
        }
        return code
    }

    private static func certificateFailure(_ result: Int, _ server: String) -> TLSFailure {
        switch Int32(truncatingIfNeeded: result) {
        case X509_V_ERR_CERT_HAS_EXPIRED: .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: .notYetValid
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_SIGNATURE_FAILURE:
            .unknownAuthority
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: .wrongName(server)
        default:
            .invalidCertificate(unsafe String(cString: X509_verify_cert_error_string(result)))
        }
    }

    private static func text(ofReason code: UInt) -> String? {
        unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
    }
}
