import Bytes
import JSON

/// A body of JSON as other programs would have written it.
struct Reserialization {
    let layout: String
    let text: [UInt8]

    /// The layouts of the serializers that senders have.
    static func all(of body: [UInt8]) -> [Reserialization] {
        var writings: [Reserialization] = []
        for (spacing, spacingName) in [
            (Spacing.compact, "compact"), (.spaced, "with spaces after : and ,"), (.indented("  "), "indented by 2"),
            (.indented("    "), "indented by 4"), (.indented("\t"), "indented by tabs"),
        ] {
            for (escaping, escapingName) in [
                (Escaping.plain, ""), (.ascii, ", characters beyond ASCII escaped"),
                (.asciiAndSlashes, ", characters beyond ASCII and slashes escaped"),
            ] {
                for isSorted in [false, true] {
                    let writer = Writer(body: body, spacing: spacing, escaping: escaping, isSorted: isSorted)
                    guard let text = writer.text() else { return [] }
                    let name = spacingName + escapingName + (isSorted ? ", keys sorted" : "")
                    writings.append(Reserialization(layout: name, text: text))
                }
            }
        }
        return writings
    }

    private enum Spacing {
        case compact, spaced
        case indented(String)
    }

    private enum Escaping { case plain, ascii, asciiAndSlashes }

    /// Writes the values of a body anew. Numbers and words stay as they are.
    private struct Writer {
        let body: [UInt8]
        let spacing: Spacing
        let escaping: Escaping
        let isSorted: Bool

        /// Nil if the body is not an object of JSON.
        func text() -> [UInt8]? {
            do throws(JSONFault) {
                var reader = JSONReader()
                var members: [(key: [UInt8], value: [UInt8])] = []
                try reader.beginObject(in: body.span)
                while let key = try reader.nextKey(in: body.span) {
                    members.append((key.text(from: body.span), try value(&reader, level: 1)))
                }
                try reader.end(in: body.span)
                return object(members, level: 0)
            } catch {
                return nil
            }
        }

        private func value(_ reader: inout JSONReader, level: Int) throws(JSONFault) -> [UInt8] {
            let start = reader.position
            switch try reader.type(in: body.span) {
            case .string:
                let string = try reader.string(in: body.span)
                return quoted(string.text(from: body.span))
            case .object:
                var members: [(key: [UInt8], value: [UInt8])] = []
                try reader.readMembers(in: body.span) { reader, key throws(JSONFault) in
                    members.append((key.text(from: body.span), try value(&reader, level: level + 1)))
                }
                return object(members, level: level)
            case .array:
                var elements: [[UInt8]] = []
                try reader.readElements(in: body.span) { reader, _ throws(JSONFault) in
                    elements.append(try value(&reader, level: level + 1))
                }
                return list(elements, "[", "]", level: level)
            case .number, .boolean, .null:
                try reader.skipValue(in: body.span)
                return Array(body[start..<reader.position])
            }
        }

        private func object(_ members: [(key: [UInt8], value: [UInt8])], level: Int) -> [UInt8] {
            let sorted = isSorted ? members.sorted { $0.key.lexicographicallyPrecedes($1.key) } : members
            var colon = Array(": ".utf8)
            if case .compact = spacing { colon = [UInt8(ascii: ":")] }
            return list(sorted.map { quoted($0.key) + colon + $0.value }, "{", "}", level: level)
        }

        private func list(_ elements: [[UInt8]], _ open: String, _ close: String, level: Int) -> [UInt8] {
            guard !elements.isEmpty else { return Array("\(open)\(close)".utf8) }
            switch spacing {
            case .compact: return Array(open.utf8) + elements.joined(separator: ",".utf8) + close.utf8
            case .spaced: return Array(open.utf8) + elements.joined(separator: ", ".utf8) + close.utf8
            case .indented(let step):
                let inner = "\n" + String(repeating: step, count: level + 1)
                let outer = "\n" + String(repeating: step, count: level)
                return Array("\(open)\(inner)".utf8) + elements.joined(separator: ",\(inner)".utf8)
                    + "\(outer)\(close)".utf8
            }
        }

        private func quoted(_ text: [UInt8]) -> [UInt8] {
            var result: [UInt8] = [.quote]
            for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
                switch scalar {
                case "\"", "\\": result += "\\\(scalar)".utf8
                case "\n": result += "\\n".utf8
                case "\r": result += "\\r".utf8
                case "\t": result += "\\t".utf8
                case "\u{8}": result += "\\b".utf8
                case "\u{C}": result += "\\f".utf8
                case "/" where escaping == .asciiAndSlashes: result += "\\/".utf8
                case _ where scalar.value < 0x20 || scalar.value > 0x7E && escaping != .plain:
                    for unit in String(scalar).utf16 { result += escape(unit) }
                default: result += String(scalar).utf8
                }
            }
            return result + [.quote]
        }

        private func escape(_ unit: UInt16) -> [UInt8] {
            let digits = String(unit, radix: 16)
            return Array("\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
        }
    }
}
