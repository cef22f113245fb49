import Bytes
import JSON

/// What happens to the payload of a sender who has proven who it is.
extension Handler {
    /// Ends the handling of a request.
    private struct Refusal: Error {
        let disposition: Disposition

        init(_ reason: Reason) { disposition = .answer(reason) }
        init(_ disposition: Disposition) { self.disposition = disposition }
    }

    /// Takes a body of which it is known already whose it is. The exchange holds its type and the name of the delivery.
    ///
    /// - Parameter claimant: with one secret for all tenants, any.
    package mutating func take(
        _ exchange: inout Exchange, from claimant: Claimant, body: Span<UInt8>, time: [UInt8], request: RequestHandle,
        queue: inout some JobQueue
    ) -> Disposition {
        self.claimant = claimant
        exchange.trace.begin(requestID: exchange.requestID, random: &random)
        return accept(&exchange, body: body, time: time, request: request, queue: &queue)
    }

    /// Makes a job of the ticket in a body, and gives it to the queue. The claimant is who it claims to be.
    mutating func accept(
        _ exchange: inout Exchange, body: Span<UInt8>, time: [UInt8], request: RequestHandle,
        queue: inout some JobQueue
    ) -> Disposition {
        let profile = claimant.isSender ? secrets.profile(of: claimant) : nil
        guard exchange.bodyType == .json || exchange.bodyType == .form && profile != nil else {
            return .answer(.unsupportedMediaType)
        }
        var sender: TicketSender?
        do throws(Refusal) {
            guard let profile else {
                if claimant.isSender {
                    let routed = try route(body, &exchange)
                    sender = routed
                    try checkClaim(of: body, by: routed, &exchange)
                }
                try charge(sender?.tenantID ?? claimant.id, &exchange)
                try readTicket(body, from: sender, &exchange)
                try checkDelivery(&exchange, time: time)
                return push(&exchange, payload: body, body: body, time: time, request: request, queue: &queue)
            }
            // A form that holds no payload counts too, if the tenant is known without it.
            let isRouted = secrets.hasFixedTenant(claimant)
            if isRouted { try route(body, to: &sender, &exchange) }
            let content = try content(of: body, profile, &exchange)
            if !isRouted { try route(content.span, to: &sender, &exchange) }
            let payload = try map(content.span, through: profile, from: sender, time: time, &exchange)
            try checkDelivery(&exchange, time: time)
            return push(&exchange, payload: payload.span, body: body, time: time, request: request, queue: &queue)
        } catch {
            if secrets.arePerTenant { exchange.provenTenant = claimant.isSender ? sender?.tenantID : claimant.id }
            return error.disposition
        }
    }

    // MARK: Steps

    /// To whom a sender's ticket belongs.
    private func route(_ content: Span<UInt8>, _ exchange: inout Exchange) throws(Refusal) -> TicketSender {
        switch secrets.route(content, of: claimant) {
        case .tenant(let sender): return sender
        case .refused(let cause): throw Refusal(refuse(&exchange, cause))
        case .notJSON(let fault): throw Refusal(note(.json(fault), of: content, in: &exchange))
        }
    }

    /// A sender's payload may name no other tenant than that for which the sender's key counts.
    private func checkClaim(
        of payload: Span<UInt8>, by sender: TicketSender, _ exchange: inout Exchange
    ) throws(Refusal) {
        var claimed: [UInt8] = []
        reader.tenant(of: payload, into: &claimed)
        guard claimed != sender.tenantID, Ticket.isTenantID(claimed.span) else { return }
        exchange.claimedTenant = claimed
        throw Refusal(refuse(&exchange, .otherTenant))
    }

    /// Finds the tenant of a sender's ticket, and charges the request to it.
    private func route(
        _ content: Span<UInt8>, to sender: inout TicketSender?, _ exchange: inout Exchange
    ) throws(Refusal) {
        let routed = try route(content, &exchange)
        sender = routed
        try charge(routed.tenantID, &exchange)
    }

    /// Charges a request to its tenant.
    private func charge(_ tenant: [UInt8], _ exchange: inout Exchange) throws(Refusal) {
        guard let allowances, let limited = secrets.tenants?.limitedTenant(tenant.span),
            let wait = allowances.take(of: limited.index, within: limited.limit)
        else { return }
        exchange.limitWait = RateLimit.seconds(ofWait: wait)
        throw Refusal(.rateLimited)
    }

    private mutating func readTicket(
        _ payload: Span<UInt8>, from sender: TicketSender?, _ exchange: inout Exchange
    ) throws(Refusal) {
        do throws(PayloadFault) {
            try reader.read(payload, from: sender, into: &exchange.ticket)
        } catch {
            throw Refusal(note(error, of: payload, in: &exchange))
        }
        // The key is that of the tenant, or the sender, that was found first.
        if secrets.arePerTenant && exchange.ticket.tenantID != (sender?.tenantID ?? claimant.id) {
            throw Refusal(refuse(&exchange, .otherTenant))
        }
    }

    /// The JSON that a body is, or has in it.
    private func content(
        of body: Span<UInt8>, _ profile: MappingProfile, _ exchange: inout Exchange
    ) throws(Refusal) -> [UInt8] {
        guard exchange.bodyType == .form else { return [UInt8](copying: body) }
        do throws(FormFault) {
            return try FormBody.payload(of: body, allowsOthers: profile.templateKeys == nil)
        } catch {
            throw Refusal(note(.form(error), of: body, in: &exchange))
        }
    }

    /// The payload that the ticket was read from.
    private mutating func map(
        _ content: Span<UInt8>, through profile: MappingProfile, from sender: TicketSender?, time: [UInt8],
        _ exchange: inout Exchange
    ) throws(Refusal) -> [UInt8] {
        do throws(PayloadFault) {
            let mapped = try Mapper(profile: profile, time: time).map(content)
            try reader.read(mapped, from: sender, into: &exchange.ticket)
            return mapped.payload
        } catch {
            throw Refusal(note(error, of: content, in: &exchange))
        }
    }

    private func note(_ fault: PayloadFault, of content: Span<UInt8>, in exchange: inout Exchange) -> Reason {
        exchange.faults = fault.rows
        switch fault {
        case .fields, .mapping: return .invalidFields
        case .form: return .invalidJSON
        case .json(let fault):
            if claimant.isSender, secrets.profile(of: claimant) != nil {
                exchange.faults = fault.rows(
                    isFromForm: exchange.bodyType == .form, advice: TemplateAdvice.sentence(on: fault, in: content))
            }
            return .invalidJSON
        }
    }

    private func checkDelivery(_ exchange: inout Exchange, time: [UInt8]) throws(Refusal) {
        if maxAge > 0 && !isRecent(exchange.ticket.createdAt, at: time) {
            let message = "must be within \(maxAge) seconds of now"
            exchange.faults = [FieldFaults.Row(field: Array("created_at".utf8), message: message)]
            throw Refusal(.staleTicket)
        }
        if exchange.hasInvalidDeliveryID {
            let message = "must be 1 to \(Exchange.deliveryIDLimit) visible ASCII characters"
            exchange.faults = [FieldFaults.Row(field: Array(exchange.deliveryHeader.utf8), message: message)]
            throw Refusal(.invalidDeliveryID)
        }
    }

    private func isRecent(_ createdAt: [UInt8], at time: [UInt8]) -> Bool {
        abs(Timestamp.seconds(of: createdAt.span) - Timestamp.seconds(of: time.span)) <= maxAge
    }

    // MARK: The job

    /// - Parameters:
    ///   - payload: what the ticket was read from.
    ///   - body: what the sender sent.
    private mutating func push(
        _ exchange: inout Exchange, payload: Span<UInt8>, body: Span<UInt8>, time: [UInt8], request: RequestHandle,
        queue: inout some JobQueue
    ) -> Disposition {
        UUID(from: &random).append(to: &exchange.jobID)
        if exchange.ticket.correlationID.isEmpty { exchange.ticket.correlate(with: UUID(from: &random)) }
        let isNamed = !exchange.deliveryID.isEmpty
        if isNamed || encoder.namesDeliveries { exchange.digest = digest(of: body) }
        job.clear()
        encoder.append(of: exchange, body: payload, createdAt: time, to: &job)
        var delivery: NamedDelivery?
        if isNamed {
            delivery = NamedDelivery(
                tenantID: exchange.ticket.tenantID, id: exchange.deliveryID, isSigned: exchange.isDeliverySigned,
                digest: exchange.digest)
        }
        let refusal = queue.push(job.span, id: exchange.jobID, delivery: delivery, for: request)
        return refusal.map { .answer($0) } ?? .queued
    }
}
