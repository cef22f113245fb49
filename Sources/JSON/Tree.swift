import Bytes

/// A JSON value in memory that keeps the order of its members, for printing and editing.
package enum JSONTree {
    case string(String)
    case number(Int)
    /// A number that is not whole, or too long, as it is written: `0.5`.
    case numeral(String)
    case boolean(Bool)
    case array([JSONTree])
    case object([(name: String, value: JSONTree)])

    /// The value on lines of its own, each level indented by two more spaces.
    package var text: [UInt8] {
        var text: [UInt8] = []
        append(to: &text, indent: 0)
        return text
    }

    private func append(to text: inout [UInt8], indent: Int) {
        switch self {
        case .string(let value): text.append(jsonString: value)
        case .number(let value): text += "\(value)".utf8
        case .numeral(let value): text += value.utf8
        case .boolean(let value): text += "\(value)".utf8
        case .array(let values):
            JSONTree.append(values.map { (nil, $0) }, between: "[", "]", to: &text, indent: indent)
        case .object(let members):
            JSONTree.append(members.map { ($0.name, $0.value) }, between: "{", "}", to: &text, indent: indent)
        }
    }

    private static func append(
        _ rows: [(name: String?, value: JSONTree)], between start: String, _ end: String, to text: inout [UInt8],
        indent: Int
    ) {
        text += start.utf8
        for (index, row) in rows.enumerated() {
            text += (index == 0 ? "\n" : ",\n").utf8
            text += [UInt8](repeating: .space, count: indent + 2)
            if let name = row.name {
                text.append(jsonString: name)
                text += ": ".utf8
            }
            row.value.append(to: &text, indent: indent + 2)
        }
        if !rows.isEmpty {
            text.append(.lineFeed)
            text += [UInt8](repeating: .space, count: indent)
        }
        text += end.utf8
    }
}

extension JSONTree: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .number(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(arrayLiteral elements: JSONTree...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONTree)...) { self = .object(elements.map { ($0.0, $0.1) }) }
}
