import Bytes
package import JSON

/// What to do with a key that is not in the contract.
package enum UnknownFields: String, CaseIterable, Sendable {
    case reject, ignore
}

/// Why a body is not a ticket.
package enum PayloadFault: Error, Equatable {
    case json(JSONFault)
    case form(FormFault)
    case fields(FieldFaults)
    /// The payload cannot be mapped, or the ticket that it was mapped to has faults.
    case mapping([FieldFaults.Row])

    /// The errors that the sender gets, a row for each fault.
    package var rows: [FieldFaults.Row] {
        switch self {
        case .json(let fault): return fault.rows()
        case .form(let fault): return [FieldFaults.Row(body: fault.message)]
        case .fields(let faults): return faults.rows
        case .mapping(let rows): return rows
        }
    }
}

extension JSONFault {
    /// - Parameter advice: how to mend whatever writes the body.
    func rows(isFromForm: Bool = false, advice: String? = nil) -> [FieldFaults.Row] {
        var message = "\(kind.rawValue) at byte offset \(offset)"
        if isFromForm { message += " of the form's decoded payload" }
        if let advice { message += ": \(advice)" }
        return [FieldFaults.Row(body: message)]
    }
}

extension FieldFaults.Row {
    /// A fault of the body as a whole.
    init(body message: String) { self.init(field: Array("(body)".utf8), message: message) }
}

/// What is known of a ticket from whoever sent it, so that the payload need not say it.
package struct TicketSender {
    package let tenantID: [UInt8]
    /// The member of the payload in which the tenant was found: it is no unknown field.
    package let routingMember: [UInt8]?

    package init(tenantID: [UInt8], routingMember: [UInt8]? = nil) {
        self.tenantID = tenantID
        self.routingMember = routingMember
    }
}

/// Reads tickets out of bodies.
package struct TicketReader {
    private let unknownFields: UnknownFields
    private var scratch: [UInt8] = []

    package init(unknownFields: UnknownFields = .reject) { self.unknownFields = unknownFields }

    /// Reads a whole body. All faults in its fields are reported at once.
    ///
    /// - Parameter sender: who sent it, if that is known already.
    package mutating func read(
        _ body: Span<UInt8>, from sender: TicketSender? = nil, into ticket: inout Ticket
    ) throws(PayloadFault) {
        ticket.reset()
        let faults: FieldFaults
        do throws(JSONFault) {
            faults = try readFields(body, from: sender, into: &ticket)
        } catch {
            ticket.reset()
            throw .json(error)
        }
        guard faults.isEmpty else { throw .fields(faults) }
    }

    /// Reads the payload of a ticket that was mapped. Its faults are told with the paths that the values came from.
    mutating func read(
        _ mapped: MappedTicket, from sender: TicketSender?, into ticket: inout Ticket
    ) throws(PayloadFault) {
        ticket.reset()
        let faults: FieldFaults
        do throws(JSONFault) {
            faults = try readFields(mapped.payload.span, from: sender, into: &ticket)
        } catch {
            // The mapping writes JSON: that it does not would be its own fault.
            throw .json(error)
        }
        let rows = mapped.rows(faults)
        guard rows.isEmpty else { throw .mapping(rows) }
    }

    private mutating func readFields(
        _ body: Span<UInt8>, from sender: TicketSender?, into ticket: inout Ticket
    ) throws(JSONFault) -> FieldFaults {
        var faults = FieldFaults()
        var unknownKeys: Set<[UInt8]> = []
        var reader = JSONReader()
        try reader.beginObject(in: body)
        while let key = try reader.nextKey(in: body) {
            guard let field = field(key, in: body) else {
                let name = key.text(from: body)
                let isFirst = unknownKeys.insert(name).inserted
                if unknownFields == .reject && name != sender?.routingMember {
                    if isFirst { faults.unknown.add(name) }
                } else if !isFirst {
                    throw JSONFault(.duplicateKey, at: key.range.lowerBound)
                }
                try reader.skipValue(in: body)
                continue
            }
            if faults.findings[field.rawValue] != .absent {
                faults.findings[field.rawValue] = .repeated
                try reader.skipValue(in: body)
                continue
            }
            let type = try reader.type(in: body)
            var isValid = false
            if type == .string {
                let string = try reader.string(in: body)
                isValid = ticket.take(string, as: field, from: body, scratch: &scratch)
            } else {
                isValid = type == .null && !field.isRequired
                try reader.skipValue(in: body)
            }
            faults.findings[field.rawValue] = isValid ? .valid : .invalid
        }
        try reader.end(in: body)
        if let sender, faults.findings[Field.tenantID.rawValue] == .absent {
            ticket.setTenant(sender.tenantID)
            faults.findings[Field.tenantID.rawValue] = .valid
        }
        return faults
    }

    private mutating func field(_ key: JSONString, in body: Span<UInt8>) -> Field? {
        guard key.hasEscapes else { return Field(body.extracting(key.range)) }
        return Field(key.text(from: body).span)
    }

    /// The tenant that a body names, before anything else about it is known; empty if it names none.
    ///
    /// An unverified claim of the sender, used only to look up the secrets that the signature is checked with. Finding
    /// it takes one quick pass, whatever the body holds.
    package func tenant(of body: Span<UInt8>, into tenant: inout [UInt8]) {
        tenant.clear()
        let field = Field.tenantID
        guard let claim = body.findString(named: field.name, limit: field.limit) else { return }
        claim.unescape(from: body, into: &tenant)
    }
}
