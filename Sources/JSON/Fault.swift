/// Why bytes are not the JSON that is accepted, and at which byte.
package struct JSONFault: Error, Equatable {
    package enum Kind: String, CaseIterable {
        case unexpectedEnd = "ends in the middle"
        case unexpectedByte = "has a byte that does not belong there"
        case trailingBytes = "goes on behind its end"
        case controlCharacter = "has a raw control character in a string"
        case escape = "has an unknown escape in a string"
        case surrogate = "has a lone surrogate in a string"
        case utf8 = "is not UTF-8"
        case number = "has a malformed number"
        case tooDeep = "is nested too deeply"
        case byteOrderMark = "begins with a byte-order mark"
        case duplicateKey = "has a key twice in one object"
    }

    package let kind: Kind
    /// Counted from the first byte, which is 0.
    package let offset: Int

    package init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = offset
    }
}
