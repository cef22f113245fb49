import Bytes

extension [UInt8] {
    /// Appends a JSON string for UTF-8 text, escaping what RFC 8259 says must be escaped and nothing else. The text
    /// must be valid UTF-8.
    package mutating func append(jsonString text: Span<UInt8>) {
        append(.quote)
        append(jsonContent: text)
        append(.quote)
    }

    package mutating func append(jsonString text: String) {
        append(jsonString: Array(text.utf8).span)
    }

    /// The same without the quotation marks.
    package mutating func append(jsonContent text: Span<UInt8>) {
        var plain = 0
        var index = 0
        while true {
            index = text.plainEnd(from: index)
            guard index < text.count else { break }
            let byte = text[index]
            index += 1
            guard byte < 0x80 else { continue }
            append(text.extracting(plain..<index - 1))
            plain = index
            append(.backslash)
            switch byte {
            // The first byte of what is copied next.
            case .quote, .backslash: plain = index - 1
            case .lineFeed: append(UInt8(ascii: "n"))
            case .carriageReturn: append(UInt8(ascii: "r"))
            case .tab: append(UInt8(ascii: "t"))
            default:
                append("u00")
                append(hex: byte)
            }
        }
        append(text.extracting(plain..<text.count))
    }
}
