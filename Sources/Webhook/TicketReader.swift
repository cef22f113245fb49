import Bytes
package import JSON

/// What to do with a key that is not in the contract.
package enum UnknownFields: String, CaseIterable, Sendable {
    case reject, ignore
}

/// Why a body is not a ticket.
package enum PayloadFault: Error, Equatable {
    case json(JSONFault)
    case fields(FieldFaults)

    /// The errors that the sender gets, a row for each fault.
    package var rows: [FieldFaults.Row] {
        switch self {
        case .json(let fault):
            let message = "\(fault.kind.rawValue) at byte offset \(fault.offset)"
            return [FieldFaults.Row(field: Array("(body)".utf8), message: message)]
        case .fields(let faults): return faults.rows
        }
    }
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
                    if isFirst { faults.addUnknown(name) }
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
