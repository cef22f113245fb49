import COpenSSL
import Delivery
import System

/// OpenSSL's errors in an operator's words.
enum TLSErrors {
    /// The reason code of the last error on this thread.
    static var lastReason: Int32 { tls_error_reason(ERR_peek_last_error()) }

    /// Empties the queue of errors, which the result of a call is judged by. To empty an empty one is not cheap.
    static func clear() { if ERR_peek_error() != 0 { ERR_clear_error() } }

    /// Why a file cannot be used. Empties the queue of errors.
    static func fileFault() -> String {
        defer { ERR_clear_error() }
        // The first error is the cause; later ones say what failed because of it.
        let first = ERR_peek_error()
        guard first != 0 else { return "unknown error" }
        // A failed system call: its reason is the error number.
        if tls_error_library(first) == ERR_LIB_SYS { return SystemError.text(tls_error_reason(first)) }
        switch (tls_error_library(first), tls_error_reason(first)) {
        case (ERR_LIB_PEM, _): return "it is not PEM, or does not contain the expected certificate or key"
        default: return text(ofReason: first) ?? "it cannot be used"
        }
    }

    /// Why a handshake or a connection failed. Empties the queue of errors.
    static func failure(of connection: OpaquePointer, with server: String) -> TLSFailure {
        defer { ERR_clear_error() }
        let code = ERR_peek_error()
        let reason = tls_error_reason(code)
        if reason == SSL_R_CERTIFICATE_VERIFY_FAILED {
            return unsafe certificateFailure(SSL_get_verify_result(connection), server)
        }
        return switch reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG: .notTLS
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: .certificateRequired
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_TLSV1_ALERT_ACCESS_DENIED:
            .certificateRefused
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
            SSL_R_NO_PROTOCOLS_AVAILABLE:
            .noCommonVersion
        default: .other(text(ofReason: code) ?? "unknown error")
        }
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
