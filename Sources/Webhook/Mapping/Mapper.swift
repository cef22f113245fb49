import Bytes
import JSON

/// A payload of the contract, without `tenant_id`, that was made from one of another shape.
struct MappedTicket {
    fileprivate(set) var payload: [UInt8] = []
    /// Why a field has no value.
    fileprivate(set) var faults: [Field: String] = [:]
    /// Where in the sender's payload a field's value was.
    fileprivate(set) var paths: [Field: JSONPath] = [:]

    /// Faults of the mapping, and those of the ticket that was made.
    func rows(_ ticket: FieldFaults) -> [FieldFaults.Row] {
        Field.allCases.compactMap { field in
            let message = ticket.message(about: field).map { rule in
                paths[field].map { "\(rule) (from \($0.text))" } ?? rule
            }
            return (faults[field] ?? message).map { FieldFaults.Row(field: Array("\(field.name)".utf8), message: $0) }
        }
    }
}

/// Makes tickets from payloads of another shape.
///
///     {"request":{"id":7,"subject":"No mail"}}  ─►  {"event":"…","ticket_id":"7","description":"No mail",…}
struct Mapper {
    private enum Value {
        /// Null and an empty text count as none.
        case none
        case text([UInt8], path: JSONPath?)
        case fault(String)
    }

    let profile: MappingProfile
    /// When the request was received, RFC 3339.
    let time: [UInt8]

    /// Reads a whole payload. Whoever reads the result next checks the ticket's own rules.
    func map(_ text: Span<UInt8>) throws(PayloadFault) -> MappedTicket {
        let values: [PathValue]
        var strangers = UnknownKeys()
        do throws(JSONFault) {
            values = try profile.tree.values(in: text) { keys, key in
                let keys = strangers.haveRoom ? keys + [key.text(from: text)] : []
                strangers.add(Array(keys.joined(separator: ".".utf8)))
            }
        } catch {
            throw .json(error)
        }
        if let keys = profile.templateKeys {
            let rows = templateFaults(keys, values) + strangers.rows("is not a key of the template")
            guard rows.isEmpty else { throw .mapping(rows) }
        }
        var ticket = MappedTicket()
        for field in Field.allCases where field.isMapped { append(field, values, text, to: &ticket) }
        ticket.payload.append(ticket.payload.isEmpty ? "{}" : "}")
        return ticket
    }

    // MARK: Templates

    private func templateFaults(_ keys: [JSONPath], _ values: [PathValue]) -> [FieldFaults.Row] {
        var rows: [FieldFaults.Row] = []
        for (key, value) in zip(keys, values) {
            let message: String
            switch value {
            case .string, .number, .null, .other(.boolean): continue
            case .absent, .blocked: message = "is required"
            case .other: message = "must be a string or a number"
            }
            rows.append(FieldFaults.Row(field: Array(key.text.utf8), message: message + use(of: key)))
        }
        return rows
    }

    /// Which fields a key is used for.
    private func use(of key: JSONPath) -> String {
        let fields = Field.allCases.filter { field in profile.rules(for: field).contains { $0.paths.contains(key) } }
        return fields.isEmpty ? "" : ", for \(fields.map { "\($0.name)" }.joined(separator: " and "))"
    }

    // MARK: Fields

    private func append(_ field: Field, _ values: [PathValue], _ text: Span<UInt8>, to ticket: inout MappedTicket) {
        let rules = profile.rules(for: field)
        for rule in rules {
            switch value(of: rule, as: field, values, text) {
            case .none: continue
            case .fault(let message): ticket.faults[field] = message
            case .text(let value, let path):
                ticket.payload.append(ticket.payload.isEmpty ? "{\"" : ",\"", field.name, "\":")
                ticket.payload.append(jsonString: value.span)
                ticket.paths[field] = path
            }
            return
        }
        guard field.isRequired else { return }
        let places = rules.flatMap(\.paths).map(\.text)
        let last = places.last.map { places.count > 1 ? " or \($0)" : $0 } ?? ""
        let list = places.dropLast().joined(separator: ", ") + last
        ticket.faults[field] = "is required, and must not be null or empty (from \(list))"
    }

    private func value(of rule: FieldRule, as field: Field, _ values: [PathValue], _ text: Span<UInt8>) -> Value {
        switch rule.source {
        case .constant(let constant): return .text(Array(constant.utf8), path: nil)
        case .received: return .text(time, path: nil)
        case .paths(let paths):
            let found = paths.filter { path in
                switch profile.tree.value(at: path, among: values) {
                case .absent, .null: false
                case .string, .number, .other(.array), .other(.boolean): true
                // One path may continue another, as `priority.name` does `priority`. An object at `priority` then counts as
                // absent for `priority`, and anything else there as absent for `priority.name`.
                case .other: !paths.contains { $0.continues(path) }
                case .blocked(let level): !paths.contains { $0.keys.count == level && path.continues($0) }
                }
            }
            guard let path = found.first else { return standardPriority(rule.conversion) }
            guard found.count == 1 else {
                return .fault("only one of \(found.map(\.text).joined(separator: " and ")) may be present")
            }
            return value(at: path, of: rule, as: field, profile.tree.value(at: path, among: values), text)
        }
    }

    private func value(
        at path: JSONPath, of rule: FieldRule, as field: Field, _ value: PathValue, _ text: Span<UInt8>
    ) -> Value {
        var found: [UInt8] = []
        switch value {
        case .absent, .null: return .none
        case .string(let string): string.unescape(from: text, into: &found)
        case .number(let range): found.append(text.extracting(range))
        case .other: return .fault("must be a string or a number (from \(path.text))")
        case .blocked(let level): return .fault("\(path.text(first: level)) must be an object (from \(path.text))")
        }
        if profile.templateKeys != nil && found.isVariable {
            return .fault("is a variable that the help desk has not replaced (from \(path.text))")
        }
        return convert(found, of: rule, as: field, path)
    }

    private func convert(_ found: [UInt8], of rule: FieldRule, as field: Field, _ path: JSONPath) -> Value {
        var found = found
        if rule.conversion == .html { found = HTMLText.plain(found) }
        found.trimWhiteSpace()
        guard !found.isEmpty else { return standardPriority(rule.conversion) }
        switch rule.conversion {
        case .none, .html: break
        case .prefix(let prefix): if found.allSatisfy(\.isDigit) { found = Array(prefix.utf8) + found }
        case .epochMilliseconds:
            guard let milliseconds = found.span.decimal, milliseconds / 1000 <= Timestamp.lastSecond else {
                return .fault("must be milliseconds since 1970 (from \(path.text))")
            }
            found = Timestamp.format(Int64(milliseconds) * 1000)
        case .priority(let table):
            guard let priority = table.priority(named: found) ?? table.standard else {
                return .fault("must be one of \(table.names.joined(separator: ", ")) (from \(path.text))")
            }
            found = Array("\(priority.name)".utf8)
        }
        if rule.cuts { found.cut(to: field.limit) }
        return .text(found, path: path)
    }

    /// The value of a priority that the payload does not have.
    private func standardPriority(_ conversion: FieldRule.Conversion) -> Value {
        guard case .priority(let table) = conversion, let priority = table.standard else { return .none }
        return .text(Array("\(priority.name)".utf8), path: nil)
    }
}

extension [UInt8] {
    /// Whether it is a variable of a template: `${id}` or `${{request.id}}`.
    fileprivate var isVariable: Bool {
        guard starts(with: "${".utf8), let end = firstIndex(of: UInt8(ascii: "}")) else { return false }
        let isDouble = starts(with: "${{".utf8)
        return self[end...].elementsEqual((isDouble ? "}}" : "}").utf8)
    }

    /// Removes white space at both ends of text: that of Unicode, since help desks send no-break spaces.
    mutating func trimWhiteSpace() {
        let text = String(decoding: self, as: UTF8.self)
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return clear() }
        self = Array(text.utf8[first..<scalars.index(after: last)])
    }

    /// Shortens text to so many characters, of which the last tell how many there were.
    fileprivate mutating func cut(to limit: Int) {
        let scalars = count { $0 & 0xC0 != 0x80 }
        guard scalars > limit else { return }
        let mark = Array("\n[cut: \(scalars) characters]".utf8)
        var kept = limit - mark.count
        let end = firstIndex { byte in
            if byte & 0xC0 != 0x80 { kept -= 1 }
            return kept < 0
        }
        removeSubrange((end ?? count)...)
        append(contentsOf: mark)
    }
}
