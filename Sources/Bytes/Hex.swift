extension [UInt8] {
    /// Appends a byte as two hexadecimal digits in lower case.
    @inlinable package mutating func append(hex byte: UInt8) {
        append(hexDigit(byte >> 4))
        append(hexDigit(byte & 15))
    }

    /// Appends bytes, each as two hexadecimal digits in lower case.
    @inlinable package mutating func append(hex bytes: Span<UInt8>) {
        for index in bytes.indices { append(hex: bytes[index]) }
    }
}

/// Bytes as hexadecimal digits in lower case.
package func hexadecimal(_ bytes: Span<UInt8>) -> [UInt8] {
    var digits: [UInt8] = []
    digits.append(hex: bytes)
    return digits
}

/// The hexadecimal digit, in lower case, for a value of 0 to 15.
@inlinable package func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value - 10)
}
