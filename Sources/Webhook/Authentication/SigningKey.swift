import Bytes

/// A secret as the key of HMAC-SHA256: one block of 64 bytes (RFC 2104, section 2).
///
/// Longer secrets are hashed once, shorter ones are padded with zeros, as HMAC would do at every use: a check takes as
/// long for one secret as for any other.
enum SigningKey {
    /// Bytes of a key.
    static let length = 64

    /// Appends the key of a secret.
    static func append(of secret: Span<UInt8>, to keys: inout [UInt8]) {
        let start = keys.count
        if secret.count > length {
            keys.append(digest(of: secret).span)
        } else {
            keys.append(secret)
        }
        while keys.count < start + length { keys.append(0) }
    }
}
