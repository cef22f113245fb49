/// Every way to cut bytes into two, neither of them empty, then one byte at a time.
package func cuts(of bytes: [UInt8]) -> [[[UInt8]]] {
    let halves = bytes.indices.dropFirst().map { [Array(bytes[..<$0]), Array(bytes[$0...])] }
    return halves + [bytes.map { [$0] }]
}

/// The bytes of text.
package func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

extension [UInt8] {
    /// The bytes as text, with invalid UTF-8 replaced.
    package var text: String { String(decoding: self, as: UTF8.self) }
}
