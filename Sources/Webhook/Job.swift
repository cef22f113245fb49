import Bytes

/// The `EnhancementJob` that workers take from the queue.
package enum Job {
    /// Appends the job of a ticket as one compact JSON object, its members in the contract's order.
    ///
    /// Values are written as they were received: the description's bytes are copied, the characters allowed in the
    /// other fields need no escapes.
    package static func append(
        of exchange: borrowing Exchange, description: Span<UInt8>, createdAt: [UInt8], to json: inout [UInt8]
    ) {
        json.append(#"{"job_id":""#)
        json.append(exchange.jobID.span)
        json.append(#"","ticket_id":""#)
        json.append(exchange.ticket.ticketID.span)
        json.append(#"","tenant_id":""#)
        json.append(exchange.ticket.tenantID.span)
        json.append(#"","description":""#)
        json.append(description)
        json.append(#"","priority":""#)
        json.append(exchange.ticket.priority.name)
        json.append(#"","timestamp":""#)
        json.append(exchange.ticket.createdAt.span)
        json.append(#"","created_at":""#)
        json.append(createdAt.span)
        json.append(#"","correlation_id":""#)
        json.append(exchange.ticket.correlationID.span)
        json.append(#""}"#)
    }
}
