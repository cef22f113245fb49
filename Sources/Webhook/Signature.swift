import Bytes
import COpenSSL

/// The tag of an HMAC-SHA256 (RFC 2104): 32 bytes.
package typealias Tag = InlineArray<32, UInt8>

/// The content of the signature header.
package enum SignatureHeader: Sendable {
    case missing
    /// Not 64 hexadecimal digits, with or without `sha256=` before them.
    case malformed
    case tag(Tag)

    package init(_ value: Span<UInt8>) {
        guard !value.isEmpty else {
            self = .missing
            return
        }
        let digits = value.hasPrefix("sha256=") ? value.extracting(droppingFirst: 7) : value
        guard digits.count == 64 else {
            self = .malformed
            return
        }
        var tag = Tag(repeating: 0)
        var seen: UInt8 = 0
        for index in 0..<32 {
            let high = digits[2 * index].hexValueOrMore
            let low = digits[2 * index + 1].hexValueOrMore
            seen |= high | low
            tag[index] = high << 4 | low & 15
        }
        self = seen < 16 ? .tag(tag) : .malformed
    }
}

/// Computes HMAC-SHA256 tags. Keeps its context, and its key until another is set.
@safe package final class Authenticator {
    private let context: OpaquePointer

    package init() {
        guard let context = unsafe HMAC_CTX_new() else { preconditionFailure("libcrypto has no memory") }
        unsafe self.context = context
    }

    package convenience init(key: Span<UInt8>) {
        self.init()
        setKey(key)
    }

    deinit { unsafe HMAC_CTX_free(context) }

    package func setKey(_ key: Span<UInt8>) {
        let isSet = unsafe key.withUnsafeBufferPointer { key in
            unsafe HMAC_Init_ex(context, key.baseAddress, Int32(key.count), EVP_sha256(), nil)
        }
        precondition(isSet == 1, "libcrypto has no HMAC-SHA256")
    }

    /// The tag of some bytes under the key that was set last.
    package func tag(of bytes: Span<UInt8>) -> Tag {
        var tag = Tag(repeating: 0)
        var length: UInt32 = 0
        var span = tag.mutableSpan
        let isDone = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe span.withUnsafeMutableBufferPointer { tag in
                // Without a key: starts again with the key that is set.
                unsafe HMAC_Init_ex(context, nil, 0, nil, nil) == 1
                    && HMAC_Update(context, bytes.baseAddress, bytes.count) == 1
                    && HMAC_Final(context, tag.baseAddress, &length) == 1
            }
        }
        precondition(isDone && length == 32, "libcrypto could not compute an HMAC")
        return tag
    }
}

extension [UInt8] {
    /// Appends a tag as 64 hexadecimal digits in lower case.
    package mutating func append(hex tag: Tag) {
        for index in tag.indices { append(hex: tag[index]) }
    }
}

/// Whether two tags are equal. The time taken does not reveal where they differ.
package func areEqual(_ a: Tag, _ b: Tag) -> Bool {
    unsafe a.span.withUnsafeBytes { a in
        unsafe b.span.withUnsafeBytes { b in unsafe CRYPTO_memcmp(a.baseAddress, b.baseAddress, 32) == 0 }
    }
}

/// The SHA-256 digest of some bytes, to distinguish bodies.
package func digest(of bytes: Span<UInt8>) -> Tag {
    var digest = Tag(repeating: 0)
    var span = digest.mutableSpan
    let isDone = unsafe bytes.withUnsafeBufferPointer { bytes in
        unsafe span.withUnsafeMutableBufferPointer { digest in
            unsafe SHA256(bytes.baseAddress, bytes.count, digest.baseAddress) != nil
        }
    }
    precondition(isDone, "libcrypto could not compute a SHA-256")
    return digest
}
