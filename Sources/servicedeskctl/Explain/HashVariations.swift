import Bytes
import COpenSSL
import Webhook

/// How the sender may have computed its signature.
enum HashVariations {
    typealias Hash = (_ key: [UInt8], _ text: [UInt8]) -> [UInt8]

    /// Those whose result has that many bytes.
    static func all(bytes: Int) -> [Variation<Hash>] {
        let advice = "sign with HMAC-SHA256"
        switch bytes {
        case 16: return [Variation("the signature is an HMAC-MD5: \(advice)", { unsafe hmac(EVP_md5(), $0, $1) })]
        case 20: return [Variation("the signature is an HMAC-SHA1: \(advice)", { unsafe hmac(EVP_sha1(), $0, $1) })]
        case 48: return [Variation("the signature is an HMAC-SHA384: \(advice)", { unsafe hmac(EVP_sha384(), $0, $1) })]
        case 64: return [Variation("the signature is an HMAC-SHA512: \(advice)", { unsafe hmac(EVP_sha512(), $0, $1) })]
        default:
            return [
                Variation(nil, { unsafe hmac(EVP_sha256(), $0, $1) }),
                Variation(
                    "the signature is the SHA-256 of secret and body, not an HMAC: \(advice)", { sha256($0 + $1) }),
                Variation(
                    "the signature is the SHA-256 of body and secret, not an HMAC: \(advice)", { sha256($1 + $0) }),
                Variation("the signature is the SHA-256 of the body, without the secret: \(advice)", { sha256($1) }),
                Variation(
                    "secret and body were exchanged in the call that signs: \(advice)",
                    { unsafe hmac(EVP_sha256(), $1, $0) }),
                Variation("the signature is an HMAC-SHA3-256: \(advice)", { unsafe hmac(EVP_sha3_256(), $0, $1) }),
            ]
        }
    }

    private static func hmac(_ function: OpaquePointer?, _ key: [UInt8], _ text: [UInt8]) -> [UInt8] {
        var tag = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let isDone = unsafe HMAC(function, key, Int32(key.count), text, text.count, &tag, &length) != nil
        return isDone ? Array(tag.prefix(Int(length))) : []
    }

    private static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        let digest = Webhook.digest(of: bytes.span)
        return digest.indices.map { digest[$0] }
    }
}
