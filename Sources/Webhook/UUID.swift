import Bytes
import COpenSSL

/// A random UUID (RFC 9562, version 4).
package struct UUID: Equatable, Sendable {
    package let bytes: InlineArray<16, UInt8>

    package static let zero = UUID(bytes: InlineArray(repeating: 0))

    package static func == (a: UUID, b: UUID) -> Bool {
        for index in 0..<16 where a.bytes[index] != b.bytes[index] { return false }
        return true
    }

    private init(bytes: InlineArray<16, UInt8>) { self.bytes = bytes }

    /// A new one, from random bytes.
    package init(from source: inout RandomSource) {
        var bytes = InlineArray<16, UInt8> { _ in source.next() }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        self.bytes = bytes
    }

    /// Appends its 36 characters, in lower case.
    package func append(to text: inout [UInt8]) {
        var characters = InlineArray<36, UInt8>(repeating: UInt8(ascii: "-"))
        var position = 0
        for index in 0..<16 {
            if index == 4 || index == 6 || index == 8 || index == 10 { position += 1 }
            characters[position] = hexDigit(bytes[index] >> 4)
            characters[position + 1] = hexDigit(bytes[index] & 15)
            position += 2
        }
        text.append(characters.span)
    }

    /// Whether text is a UUID of version 4, in either case: `8-4-4-4-12` digits, version 4, variant 10.
    package static func isVersion4(_ text: Span<UInt8>) -> Bool {
        guard text.count == 36 else { return false }
        for index in text.indices {
            switch index {
            case 8, 13, 18, 23: guard text[index] == UInt8(ascii: "-") else { return false }
            case 14: guard text[index] == UInt8(ascii: "4") else { return false }
            default: guard let value = text[index].hexValue, index != 19 || value >> 2 == 0b10 else { return false }
            }
        }
        return true
    }
}

/// Unpredictable bytes of libcrypto's generator, drawn 4 KiB at a time.
package struct RandomSource {
    private static let size = 4096
    private var pool = [UInt8](repeating: 0, count: size)
    private var used = size

    package init() {}

    package mutating func next() -> UInt8 {
        if used == pool.count {
            let filled = unsafe pool.withUnsafeMutableBufferPointer { bytes in
                unsafe RAND_bytes(bytes.baseAddress, Int32(bytes.count))
            }
            precondition(filled == 1, "libcrypto has no random bytes")
            used = 0
        }
        used += 1
        return pool[used - 1]
    }
}
