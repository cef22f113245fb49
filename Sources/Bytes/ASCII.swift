/// Names for the characters that can hardly be read in a literal; the others are written as `UInt8(ascii: "x")`.
extension UInt8 {
    @inlinable package static var tab: UInt8 { UInt8(ascii: "\t") }
    @inlinable package static var lineFeed: UInt8 { UInt8(ascii: "\n") }
    @inlinable package static var carriageReturn: UInt8 { UInt8(ascii: "\r") }
    @inlinable package static var space: UInt8 { UInt8(ascii: " ") }
    @inlinable package static var quote: UInt8 { UInt8(ascii: "\"") }
    @inlinable package static var backslash: UInt8 { UInt8(ascii: "\\") }

    /// The bit that is set in a lower-case letter and clear in its upper-case form.
    @inlinable package static var caseBit: UInt8 { 0b10_0000 }
}

extension UInt8 {
    @inlinable package var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    @inlinable package var isUppercaseLetter: Bool { self &- UInt8(ascii: "A") < 26 }

    @inlinable package var isLowercaseLetter: Bool { self &- UInt8(ascii: "a") < 26 }

    /// Whether it is a control character: one below the space, or DEL.
    @inlinable package var isControl: Bool { self < .space || self == UInt8(ascii: "\u{7F}") }

    @inlinable var isOptionalSpace: Bool { self == .space || self == .tab }

    @inlinable package var isVisibleASCII: Bool { self > .space && self <= UInt8(ascii: "~") }

    /// The ASCII letter in lower case; any other byte as it is.
    @inlinable package var lowercased: UInt8 { isUppercaseLetter ? self | .caseBit : self }

    /// The value of a hexadecimal digit of either case, or nil.
    @inlinable package var hexValue: UInt8? {
        let value = hexValueOrMore
        return value < 16 ? value : nil
    }

    /// The value of a hexadecimal digit of either case; of any other byte 16 or more.
    ///
    /// Without a branch: digits of a tag are random, and so half of the branches on them would be predicted wrongly.
    @inlinable package var hexValueOrMore: UInt8 {
        let letter = (self | .caseBit) &- UInt8(ascii: "a")
        let value = letter < 6 ? letter + 10 : 0xFF
        return isDigit ? self &- UInt8(ascii: "0") : value
    }
}
