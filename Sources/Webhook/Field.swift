import Bytes

/// A field of the payload, in the order in which faults are reported.
package enum Field: Int, CaseIterable {
    case event, ticketID, tenantID, description, priority, createdAt, correlationID

    package var name: StaticString {
        switch self {
        case .event: "event"
        case .ticketID: "ticket_id"
        case .tenantID: "tenant_id"
        case .description: "description"
        case .priority: "priority"
        case .createdAt: "created_at"
        case .correlationID: "correlation_id"
        }
    }

    /// Unicode scalar values, at most; at least one.
    package var limit: Int {
        switch self {
        case .event, .ticketID, .tenantID: 100
        case .description: 10_000
        case .priority: 8
        case .createdAt: Timestamp.limit
        case .correlationID: 36
        }
    }

    package var isRequired: Bool { self != .correlationID }

    /// The rule, as a sender who broke it reads it.
    package var rule: String {
        switch self {
        case .event: "must be a string of 1 to \(grouped(limit)) characters"
        case .ticketID: "must be a string of 1 to \(grouped(limit)) of A-Z, 0-9 and -"
        case .tenantID: "must be a string of 1 to \(grouped(limit)) of a-z, 0-9 and -"
        case .description: "must be a string of 1 to \(grouped(limit)) characters without U+0000"
        case .priority: "must be one of low, medium, high, critical"
        case .createdAt: "must be an RFC 3339 date-time with an offset, in the years 1 to 9999 of UTC"
        case .correlationID: "must be a UUID of version 4, or null"
        }
    }

    /// A number with commas between its thousands.
    private func grouped(_ number: Int) -> String {
        guard number >= 1000 else { return "\(number)" }
        let (thousands, rest) = number.quotientAndRemainder(dividingBy: 1000)
        return "\(grouped(thousands)),\("\(1000 + rest)".dropFirst())"
    }

    init?(_ name: Span<UInt8>) {
        for field in Field.allCases where name.equals(field.name) {
            self = field
            return
        }
        return nil
    }
}

/// The faults in a payload: a row for each field.
package struct FieldFaults: Equatable {
    package struct Row: Equatable {
        package let field: [UInt8]
        package let message: String
        /// Whether the field's name is the sender's own text, and so may be anything.
        package var isUnknown = false

        package init(field: [UInt8], message: String, isUnknown: Bool = false) {
            (self.field, self.message, self.isUnknown) = (field, message, isUnknown)
        }

        /// `field: message`
        package var line: [UInt8] { field + Array(": \(message)".utf8) }
    }

    /// The state of one field after the payload was read.
    enum Finding { case absent, valid, invalid, repeated }

    var findings = InlineArray<7, Finding>(repeating: .absent)
    var unknown = UnknownKeys()

    var isEmpty: Bool {
        guard unknown.isEmpty else { return false }
        for field in Field.allCases {
            switch findings[field.rawValue] {
            case .valid: continue
            case .absent: if field.isRequired { return false }
            case .invalid, .repeated: return false
            }
        }
        return true
    }

    package var rows: [Row] {
        let rows = Field.allCases.compactMap { field in
            message(about: field).map { Row(field: Array("\(field.name)".utf8), message: $0) }
        }
        return rows + unknown.rows("is not a known field")
    }

    /// What is wrong with a field.
    func message(about field: Field) -> String? {
        switch findings[field.rawValue] {
        case .valid: nil
        case .absent: field.isRequired ? "is required" : nil
        case .invalid: field.rule
        case .repeated: "occurs more than once"
        }
    }

    package static func == (a: FieldFaults, b: FieldFaults) -> Bool { a.rows == b.rows }
}

/// Keys of a payload that are not expected.
package struct UnknownKeys {
    /// Rows for them, at most; the rest are counted.
    package static let limit = 16
    /// Bytes of a key that are repeated to the sender, at most.
    package static let keyLimit = 64

    private var keys: [[UInt8]] = []
    private var count = 0

    var isEmpty: Bool { count == 0 }

    /// Whether another key would be repeated to the sender, not only counted.
    var haveRoom: Bool { keys.count < UnknownKeys.limit }

    mutating func add(_ key: [UInt8]) {
        count += 1
        guard haveRoom else { return }
        // A longer key is reported by its length: cutting it could split a character.
        keys.append(key.count <= UnknownKeys.keyLimit ? key : Array("(a key of \(key.count) bytes)".utf8))
    }

    /// A row for each.
    func rows(_ message: String) -> [FieldFaults.Row] {
        var rows = keys.map { FieldFaults.Row(field: $0, message: message, isUnknown: true) }
        if count > keys.count {
            let rest = count - keys.count
            rows.append(
                FieldFaults.Row(
                    field: Array("…".utf8), message: "\(rest) more unknown field\(rest == 1 ? "" : "s")",
                    isUnknown: true))
        }
        return rows
    }
}
