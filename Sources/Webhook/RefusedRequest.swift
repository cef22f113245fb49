import Bytes
import JSON

/// A request that was refused though its sender has proven who it is, as it is kept for an operator: without credentials.
package struct RefusedRequest: Sendable {
    /// The names are a format: the quarantine keeps entries for days.
    package enum Member: String, CaseIterable, Sendable {
        /// When it was received, RFC 3339.
        case time
        /// The reason's label.
        case reason
        /// Those that were proven, if they are known.
        case tenant, sender, key
        /// What the sender has named the delivery, and whether its key proves the name.
        case delivery
        case isDeliverySigned = "delivery_signed"
        /// `json` or `form`.
        case type
        case requestID = "request_id"
        /// As the response had them: an array of objects.
        case faults
        case body
    }

    package let members: [(member: Member, value: [UInt8])]

    /// - Parameters:
    ///   - exchange: one that ended with a refusal of its payload.
    ///   - time: when it was received, RFC 3339.
    package init(_ exchange: borrowing Exchange, _ reason: Reason, body: Span<UInt8>, time: [UInt8]) {
        var faults: [UInt8] = []
        exchange.appendFaults(to: &faults)
        let delivery = exchange.hasInvalidDeliveryID ? [] : exchange.deliveryID
        let all: [(member: Member, value: [UInt8])] = [
            (.time, time), (.reason, Array("\(reason.label)".utf8)), (.tenant, exchange.provenTenant ?? []),
            (.sender, exchange.sender), (.key, exchange.key?.id ?? []), (.delivery, delivery),
            (.isDeliverySigned, exchange.isDeliverySigned && !delivery.isEmpty ? Array("true".utf8) : []),
            (.type, Array((exchange.bodyType == .form ? "form" : "json").utf8)), (.requestID, exchange.requestID),
            (.faults, faults), (.body, [UInt8](copying: body)),
        ]
        members = all.filter { !$0.value.isEmpty || $0.member == .body }
    }

    private func value(of member: Member) -> [UInt8]? { members.first { $0.member == member }?.value }

    /// Whose entries are counted together: the tenant, or the sender if the tenant is not known. No tenant's id has a slash.
    package var owner: [UInt8] {
        value(of: .tenant) ?? value(of: .sender).map { Array("sender/".utf8) + $0 } ?? Array("all/".utf8)
    }

    /// Bytes of all values.
    package var size: Int { members.reduce(0) { $0 + $1.value.count } }
}
