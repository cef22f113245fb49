/// Untrusted text for a terminal.
enum TerminalText {
    /// Characters of a column, at most.
    private static let limit = 200

    /// The text shortened, and with a space for each character that a terminal would interpret, such as ESC, U+009B, or one
    /// that reverses the direction of the text.
    static func column(_ text: [UInt8]) -> [UInt8] {
        let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
        var column = String.UnicodeScalarView()
        for scalar in scalars.prefix(limit) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: column.append(" ")
            default: column.append(scalar)
            }
        }
        if scalars.count > limit { column.append("…") }
        return Array(String(column).utf8)
    }
}
