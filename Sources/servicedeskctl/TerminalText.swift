import Bytes

/// Untrusted text for a terminal.
enum TerminalText {
    /// Characters of a column, at most.
    private static let limit = 200

    /// The text shortened, and otherwise like a line.
    static func column(_ text: [UInt8]) -> [UInt8] {
        let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
        let column = line(Array(String(scalars.prefix(limit)).utf8))
        return scalars.count > limit ? column + Array("…".utf8) : column
    }

    /// Several lines, each like a line.
    static func lines(_ text: [UInt8]) -> [UInt8] {
        Array(
            text.split(separator: .lineFeed, omittingEmptySubsequences: false).map { line(Array($0)) }
                .joined(separator: [.lineFeed]))
    }

    /// The text with a space for each character that a terminal would interpret, such as ESC, U+009B, or one that reverses
    /// the direction of the text.
    static func line(_ text: [UInt8]) -> [UInt8] {
        var line = String.UnicodeScalarView()
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: line.append(" ")
            default: line.append(scalar)
            }
        }
        return Array(String(line).utf8)
    }
}
