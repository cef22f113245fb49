import Bytes
import JSON

/// Members that a job has only where `SERVICEDESK_JOB_MEMBERS` names them, after the others and in this order.
package struct JobMembers: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The payload's `event`.
    package static let event = JobMembers(rawValue: 1)
    /// The name of the delivery: its sender's, or `sha256:` and the digest of the body.
    package static let deliveryID = JobMembers(rawValue: 2)
    /// `traceparent`, and `tracestate` where the sender had one.
    package static let traceContext = JobMembers(rawValue: 4)

    package static let names = ["event", "delivery_id", "traceparent"]

    /// From names separated by commas; nil where one is unknown or empty.
    package init?(_ list: String) {
        self = []
        for name in list.split(separator: ",", omittingEmptySubsequences: false) {
            guard let index = JobMembers.names.firstIndex(of: String(name)) else { return nil }
            insert(JobMembers(rawValue: 1 << index))
        }
    }
}

/// The `EnhancementJob` that workers take from the queue: one compact JSON object, its members in the contract's order.
///
/// Values are written as they were received: strings of the payload are copied with their escapes, the characters
/// allowed in the other fields need none.
enum Job {
    /// Appends the job of a ticket.
    ///
    /// - Parameters:
    ///   - body: the payload that the exchange's ticket was read from.
    ///   - createdAt: when the job is queued, RFC 3339.
    static func append(
        of exchange: borrowing Exchange, body: Span<UInt8>, createdAt: [UInt8], members: JobMembers,
        to json: inout [UInt8]
    ) {
        json.append(#"{"job_id":""#, exchange.jobID.span, #"","ticket_id":""#)
        json.append(exchange.ticket.ticketID.span)
        json.append(#"","tenant_id":""#, exchange.ticket.tenantID.span, #"","description":""#)
        json.append(body.extracting(exchange.ticket.description))
        json.append(#"","priority":""#, exchange.ticket.priority.name, #"","timestamp":""#)
        json.append(exchange.ticket.createdAt.span)
        json.append(#"","created_at":""#, createdAt.span, #"","correlation_id":""#)
        json.append(exchange.ticket.correlationID.span)
        if members.isEmpty { return json.append(#""}"#) }
        json.append(#"""#)
        append(members, of: exchange, body: body, to: &json)
        json.append(#"}"#)
    }

    /// Appends optional members, each with a comma before it.
    static func append(
        _ members: JobMembers, of exchange: borrowing Exchange, body: Span<UInt8>, to json: inout [UInt8]
    ) {
        if members.contains(.event) {
            json.append(#","event":""#, body.extracting(exchange.ticket.event), #"""#)
        }
        if members.contains(.deliveryID) {
            json.append(#","delivery_id":""#)
            if exchange.deliveryID.isEmpty {
                json.append("sha256:")
                json.append(hex: exchange.digest)
            } else {
                json.append(jsonContent: exchange.deliveryID.span)
            }
            json.append(#"""#)
        }
        if members.contains(.traceContext) {
            json.append(#","traceparent":""#)
            exchange.trace.appendParent(to: &json)
            json.append(#"""#)
            guard !exchange.trace.state.isEmpty else { return }
            json.append(#","tracestate":""#)
            json.append(jsonContent: exchange.trace.state.span)
            json.append(#"""#)
        }
    }
}
