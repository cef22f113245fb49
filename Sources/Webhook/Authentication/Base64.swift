import Bytes
import COpenSSL

/// The bytes that base64 stands for (RFC 4648, section 4); nil if the text is not exactly what encoding them gives. It may
/// be a secret: no copy but the result is left.
package func base64Decoded(_ text: some Collection<UInt8>) -> [UInt8]? {
    var text = Array(text)
    defer { text.wipe() }
    guard text.count % 4 == 0, text.count <= 4096 else { return nil }
    let padding = text.suffix(2).count { $0 == UInt8(ascii: "=") }
    let length = text.count / 4 * 3
    var bytes = [UInt8](repeating: 0, count: length)
    let count = unsafe text.withUnsafeBufferPointer { text in
        unsafe bytes.withUnsafeMutableBufferPointer { bytes in
            unsafe text.isEmpty ? 0 : EVP_DecodeBlock(bytes.baseAddress, text.baseAddress, Int32(text.count))
        }
    }
    guard Int(count) == length else { return nil }
    bytes.removeLast(min(padding, length))
    var encoded = base64Encoded(bytes)
    defer { encoded.wipe() }
    return encoded == text ? bytes : nil
}

/// Bytes as base64, with padding.
package func base64Encoded(_ bytes: [UInt8]) -> [UInt8] {
    // EVP_EncodeBlock ends its output with a NUL.
    var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
    _ = unsafe bytes.withUnsafeBufferPointer { bytes in
        unsafe text.withUnsafeMutableBufferPointer { text in
            unsafe bytes.isEmpty ? 0 : EVP_EncodeBlock(text.baseAddress, bytes.baseAddress, Int32(bytes.count))
        }
    }
    text.removeLast()
    return text
}
