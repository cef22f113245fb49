import Bytes
import JSON

/// JSON whose numbers keep their digits and whose objects keep their order, to write it as other programs would.
indirect enum LosslessJSON {
    case string([UInt8])
    /// A number, true, false or null, as it is written.
    case word([UInt8])
    case array([LosslessJSON])
    case object([(name: [UInt8], value: LosslessJSON)])

    /// Reads the text of an object; nil if it is not one.
    init?(_ text: [UInt8]) {
        do throws(JSONFault) {
            var reader = JSONReader()
            var members: [(name: [UInt8], value: LosslessJSON)] = []
            try reader.beginObject(in: text.span)
            while let key = try reader.nextKey(in: text.span) {
                members.append((key.text(from: text.span), try LosslessJSON(&reader, text.span)))
            }
            try reader.end(in: text.span)
            self = .object(members)
        } catch {
            return nil
        }
    }

    private init(_ reader: inout JSONReader, _ text: Span<UInt8>) throws(JSONFault) {
        switch try reader.type(in: text) {
        case .string: self = .string(try reader.string(in: text).text(from: text))
        case .number, .boolean, .null:
            let start = reader.position
            try reader.skipValue(in: text)
            var word: [UInt8] = []
            word.append(text.extracting(start..<reader.position))
            self = .word(word)
        case .array:
            var elements: [LosslessJSON] = []
            try reader.readElements(in: text) { reader, _ throws(JSONFault) in
                elements.append(try LosslessJSON(&reader, text))
            }
            self = .array(elements)
        case .object:
            var members: [(name: [UInt8], value: LosslessJSON)] = []
            try reader.readMembers(in: text) { reader, key throws(JSONFault) in
                members.append((key.text(from: text), try LosslessJSON(&reader, text)))
            }
            self = .object(members)
        }
    }

    /// The text in a style.
    func text(_ style: JSONStyle) -> [UInt8] {
        var text: [UInt8] = []
        append(to: &text, style, level: 0)
        return text
    }

    private func append(to text: inout [UInt8], _ style: JSONStyle, level: Int) {
        switch self {
        case .word(let word): text += word
        case .string(let string): style.append(string, to: &text)
        case .array(let elements):
            append(elements.map { (nil, $0) }, between: "[", "]", to: &text, style, level: level)
        case .object(let members):
            let sorted = style.isSorted ? members.sorted { $0.name.lexicographicallyPrecedes($1.name) } : members
            append(sorted.map { ($0.name, $0.value) }, between: "{", "}", to: &text, style, level: level)
        }
    }

    private func append(
        _ rows: [(name: [UInt8]?, value: LosslessJSON)], between start: String, _ end: String, to text: inout [UInt8],
        _ style: JSONStyle, level: Int
    ) {
        text += start.utf8
        for (index, row) in rows.enumerated() {
            if index > 0 { text += style.layout.comma.utf8 }
            style.breakLine(&text, level: level + 1)
            if let name = row.name {
                style.append(name, to: &text)
                text += style.layout.colon.utf8
            }
            row.value.append(to: &text, style, level: level + 1)
        }
        if !rows.isEmpty { style.breakLine(&text, level: level) }
        text += end.utf8
    }
}

/// How a program writes JSON.
struct JSONStyle {
    struct Layout {
        /// What does so.
        let name: String
        var comma = ","
        var colon = ":"
        /// For each level; nil: all in one line.
        var indent: String?
        var newline = "\n"

        static let all = [
            Layout(name: "compact, as JSON.stringify writes it"),
            Layout(
                name: "with a space after each comma and colon, as Python's json.dumps writes it", comma: ", ",
                colon: ": "),
            Layout(name: "with a space after each colon", colon: ": "),
            Layout(name: "with a space after each comma", comma: ", "),
            Layout(name: "indented by 2 spaces", colon: ": ", indent: "  "),
            Layout(name: "indented by 4 spaces", colon: ": ", indent: "    "),
            Layout(name: "indented by tabs", colon: ": ", indent: "\t"),
            Layout(name: "indented by 2 spaces, with CR LF", colon: ": ", indent: "  ", newline: "\r\n"),
            Layout(name: "indented by 4 spaces, with CR LF", colon: ": ", indent: "    ", newline: "\r\n"),
            Layout(
                name: "indented by 2 spaces, with a space before each colon, as Jackson writes it", colon: " : ",
                indent: "  "),
        ]
    }

    /// Which characters are escaped beyond those that must be.
    enum Escaping: CaseIterable {
        case none, nonASCII, slash, nonASCIIAndSlash, html

        var name: String {
            switch self {
            case .none: ""
            case .nonASCII: ", with \\u escapes for non-ASCII characters"
            case .slash: ", with \\/ for each slash"
            case .nonASCIIAndSlash:
                ", with \\/ for each slash and \\u escapes for non-ASCII characters, as PHP's json_encode writes it"
            case .html: ", with \\u escapes for <, > and &, as Go's encoding/json writes it"
            }
        }
    }

    var layout = Layout.all[0]
    var isSorted = false
    var escaping = Escaping.none

    var name: String { layout.name + (isSorted ? ", with its keys sorted" : "") + escaping.name }

    func breakLine(_ text: inout [UInt8], level: Int) {
        guard let indent = layout.indent else { return }
        text += layout.newline.utf8
        for _ in 0..<level { text += indent.utf8 }
    }

    func append(_ string: [UInt8], to text: inout [UInt8]) {
        var plain: [UInt8] = []
        plain.append(jsonString: string.span)
        for scalar in String(decoding: plain, as: UTF8.self).unicodeScalars {
            if isEscaped(scalar) {
                for unit in String(scalar).utf16 {
                    text += "\\u".utf8
                    text.append(hex: UInt8(unit >> 8))
                    text.append(hex: UInt8(truncatingIfNeeded: unit))
                }
            } else if scalar == "/" && (escaping == .slash || escaping == .nonASCIIAndSlash) {
                text += "\\/".utf8
            } else {
                text += String(scalar).utf8
            }
        }
    }

    private func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
        switch escaping {
        case .none, .slash: false
        case .nonASCII, .nonASCIIAndSlash: !scalar.isASCII
        case .html: ["<", ">", "&", "\u{2028}", "\u{2029}"].contains(scalar)
        }
    }
}
