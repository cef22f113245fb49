/// Why bytes are not the JSON that is accepted, and at which byte.
package struct JSONFault: Error, Equatable {
    package enum Kind: String, CaseIterable {
        case unexpectedEnd = "unexpected end of input"
        case unexpectedByte = "unexpected byte"
        case trailingBytes = "trailing data"
        case controlCharacter = "raw control character in a string"
        case escape = "invalid escape in a string"
        case surrogate = "lone surrogate in a string"
        case utf8 = "invalid UTF-8"
        case number = "malformed number"
        case tooDeep = "nested too deeply"
        case byteOrderMark = "byte-order mark"
        case duplicateKey = "duplicate key"
    }

    package let kind: Kind
    /// Counted from the first byte, which is 0.
    package let offset: Int

    package init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = offset
    }
}
