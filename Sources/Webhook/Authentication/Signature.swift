import Bytes
import COpenSSL

/// The tag of an HMAC-SHA256 (RFC 2104): 32 bytes.
package typealias Tag = InlineArray<32, UInt8>

extension Tag {
    /// From 64 hexadecimal digits in either case.
    package init?(hexadecimal digits: Span<UInt8>) {
        guard digits.count == 64 else { return nil }
        self.init(repeating: 0)
        var seen: UInt8 = 0
        for index in 0..<32 {
            let high = digits[2 * index].hexValueOrMore
            let low = digits[2 * index + 1].hexValueOrMore
            seen |= high | low
            self[index] = high << 4 | low & 15
        }
        guard seen < 16 else { return nil }
    }

    /// From base64 with padding.
    init?(base64 text: some Collection<UInt8>) {
        guard text.count == 44, let bytes = base64Decoded(text), bytes.count == 32 else { return nil }
        self.init { bytes[$0] }
    }
}

/// Computes HMAC-SHA256 tags. Keeps its context, and its key until another is set.
@safe package final class Authenticator {
    private let context: OpaquePointer
    /// Tags computed so far.
    private(set) var count = 0
    /// Bytes that they are of.
    private(set) var byteCount = 0

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
        begin()
        update(bytes)
        return finish()
    }

    /// The tag of three texts in a row.
    func tag(of before: [UInt8], _ bytes: Span<UInt8>, _ after: [UInt8]) -> Tag {
        begin()
        if !before.isEmpty { update(before.span) }
        update(bytes)
        if !after.isEmpty { update(after.span) }
        return finish()
    }

    /// Starts again with the key that is set.
    private func begin() {
        count &+= 1
        let isDone = unsafe HMAC_Init_ex(context, nil, 0, nil, nil)
        precondition(isDone == 1, "libcrypto could not begin an HMAC")
    }

    private func update(_ bytes: Span<UInt8>) {
        byteCount &+= bytes.count
        let isDone = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe HMAC_Update(context, bytes.baseAddress, bytes.count)
        }
        precondition(isDone == 1, "libcrypto could not compute an HMAC")
    }

    private func finish() -> Tag {
        var tag = Tag(repeating: 0)
        var length: UInt32 = 0
        var span = tag.mutableSpan
        let isDone = unsafe span.withUnsafeMutableBufferPointer { tag in
            unsafe HMAC_Final(context, tag.baseAddress, &length)
        }
        precondition(isDone == 1 && length == 32, "libcrypto could not compute an HMAC")
        return tag
    }
}

extension [UInt8] {
    /// Appends a tag as 64 hexadecimal digits in lower case.
    package mutating func append(hex tag: Tag) {
        append(hex: tag.span)
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
