import Bytes
import JSON

package enum Priority: UInt8, CaseIterable {
    case low, medium, high, critical

    package var name: StaticString {
        switch self {
        case .low: "low"
        case .medium: "medium"
        case .high: "high"
        case .critical: "critical"
        }
    }
}

extension Priority {
    init?(_ name: String) {
        guard let priority = Priority.allCases.first(where: { "\($0.name)" == name }) else { return nil }
        self = priority
    }
}

/// A ticket from a webhook, with every field valid. Its buffers are reused for the next one.
package struct Ticket {
    package private(set) var ticketID: [UInt8] = []
    package private(set) var tenantID: [UInt8] = []
    package private(set) var priority = Priority.low
    /// As received, with `T` and `Z` in upper case.
    package private(set) var createdAt: [UInt8] = []
    /// Empty if the payload has none.
    package private(set) var correlationID: [UInt8] = []
    /// Where the event and the description are in the body. They are passed on as they were written, escapes and all.
    package private(set) var event = 0..<0
    package private(set) var description = 0..<0

    package init() {}

    package mutating func reset() {
        ticketID.clear()
        tenantID.clear()
        createdAt.clear()
        correlationID.clear()
        event = 0..<0
        description = 0..<0
    }

    /// Gives a ticket whose payload names no tenant its sender's.
    mutating func setTenant(_ id: [UInt8]) { tenantID.append(id.span) }

    /// Gives a ticket without a correlation id a new one.
    package mutating func correlate(with id: UUID) { id.append(to: &correlationID) }

    /// Takes a value that was found to be a JSON string; returns whether the field's rule accepts it.
    mutating func take(_ string: JSONString, as field: Field, from body: Span<UInt8>, scratch: inout [UInt8]) -> Bool {
        guard (1...field.limit).contains(string.scalars) else { return false }
        if field == .description {
            description = string.range
            return !string.hasNull
        }
        if field == .event {
            event = string.range
            return true
        }
        if string.hasEscapes {
            scratch.clear()
            string.unescape(from: body, into: &scratch)
            return store(scratch.span, as: field)
        }
        return store(body.extracting(string.range), as: field)
    }

    private mutating func store(_ value: Span<UInt8>, as field: Field) -> Bool {
        switch field {
        case .event, .description:
            return true
        case .ticketID:
            guard Ticket.isTicketID(value) else { return false }
            ticketID.append(value)
        case .tenantID:
            guard Ticket.isTenantID(value) else { return false }
            tenantID.append(value)
        case .priority:
            guard let priority = Priority.allCases.first(where: { value.equals($0.name) }) else { return false }
            self.priority = priority
        case .createdAt:
            guard Timestamp.isDateTime(value) else { return false }
            createdAt.append(value)
            Timestamp.capitalize(&createdAt)
        case .correlationID:
            guard UUID.isVersion4(value) else { return false }
            correlationID.append(value)
        }
        return true
    }

    static func isTicketID(_ text: Span<UInt8>) -> Bool {
        for index in text.indices {
            let byte = text[index]
            guard byte.isUppercaseLetter || byte.isDigit || byte == UInt8(ascii: "-") else { return false }
        }
        return true
    }

    package static func isTenantID(_ text: Span<UInt8>) -> Bool {
        for index in text.indices {
            let byte = text[index]
            guard byte.isLowercaseLetter || byte.isDigit || byte == UInt8(ascii: "-") else { return false }
        }
        return (1...Field.tenantID.limit).contains(text.count)
    }
}
