/// Why TLS with a server could not be established, or broke.
package enum TLSFailure: Error, Equatable, Sendable {
    // The server's certificate.
    case expired
    case notYetValid
    case unknownAuthority
    /// It is not for the name or address that was connected to.
    case wrongName(String)
    /// Another fault, in OpenSSL's words.
    case invalidCertificate(String)
    // What the server says of ours.
    case certificateRequired
    case certificateRefused
    // The protocol.
    case noCommonVersion
    /// An alert that does not say why.
    case handshakeRefused
    /// The server does not speak TLS.
    case notTLS
    /// Another alert or error, in OpenSSL's words.
    case other(String)
}

extension TLSFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .expired: "TLS: the server's certificate has expired"
        case .notYetValid: "TLS: the server's certificate is not valid yet: check both clocks"
        case .unknownAuthority: "TLS: no trusted CA has issued the server's certificate"
        case .wrongName(let name): "TLS: the server's certificate is not for \(name)"
        case .invalidCertificate(let text): "TLS: the server's certificate is invalid (\(text))"
        case .certificateRequired: "TLS: the server requires a client certificate"
        case .certificateRefused: "TLS: the server refuses the client certificate"
        case .noCommonVersion: "TLS: no version in common with the server: it must support TLS 1.2 or 1.3"
        case .handshakeRefused:
            "TLS: the server refuses the handshake: it requires a client certificate or another cipher"
        case .notTLS: "the server does not speak TLS on this port"
        case .other(let text): "TLS: \(text)"
        }
    }
}
