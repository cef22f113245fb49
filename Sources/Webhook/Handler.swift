import Bytes
import JSON

/// The result of handling a request.
package enum Disposition: Equatable {
    case answer(Reason)
    /// A job was made and given to the queue, whose result decides the answer.
    case queued
    /// The body is not as long as declared: nobody knows what the sender meant.
    case drop
    case metrics, live, ready
}

/// The contract, from a request to its answer or to a job.
///
/// The checks stand in the order in which the contract names them.
package struct Handler {
    /// Bytes of a body, at most; a setting may allow fewer.
    package static let largestBody = 131_072

    package var secrets: Secrets
    /// Nil if no tenant has a limit.
    package var allowances: (any Allowances)?
    private let bodyLimit: Int
    private let encoder: JobEncoder
    /// Seconds that `created_at` may lie before or after now; 0: any.
    private let maxAge: Int
    private var reader: TicketReader
    private var claimant = Claimant()
    private var job: [UInt8] = []
    package var random = RandomSource()

    package init(
        secrets: Secrets, bodyLimit: Int, unknownFields: UnknownFields, maxAge: Int, encoder: JobEncoder = .plain([])
    ) {
        self.secrets = secrets
        self.bodyLimit = bodyLimit
        self.maxAge = maxAge
        self.encoder = encoder
        reader = TicketReader(unknownFields: unknownFields)
    }

    /// Handles a request whose variables the exchange holds.
    ///
    /// - Parameters:
    ///   - body: the whole body; of one that is over the limit, nothing.
    ///   - time: when the job is queued, RFC 3339.
    package mutating func handle(
        _ exchange: inout Exchange, body: Span<UInt8>, time: [UInt8], request: RequestHandle,
        queue: inout some JobQueue
    ) -> Disposition {
        switch exchange.route {
        case .unknown: return .answer(.unknownPath)
        case .sender where !secrets.haveSenders: return .answer(.unknownPath)
        case .webhook: claimant.beginTenant()
        case .sender(let id): claimant = Claimant(isSender: true, id: id)
        case let route:
            guard exchange.method == .get || exchange.method == .head else { return .answer(.methodNotAllowed) }
            return route == .metrics ? .metrics : route == .live ? .live : .ready
        }
        exchange.trace.begin(requestID: exchange.requestID, random: &random)
        guard exchange.method == .post else { return .answer(.methodNotAllowed) }
        guard exchange.bodyLength <= bodyLimit else { return .answer(.tooLarge) }
        switch exchange.declaredLength {
        case .bytes(let declared) where declared > bodyLimit: return .answer(.tooLarge)
        case .bytes(exchange.bodyLength): break
        // A chunked body ends with its stream; a signature shows whether it is whole.
        case .absent: break
        case .bytes, .malformed: return .drop
        }
        if let cause = authenticate(&exchange, body, time: time) { return refuse(&exchange, cause) }
        if exchange.declaredLength == .absent, let key = exchange.key, !key.signsBody {
            return .answer(.lengthRequired)
        }
        guard exchange.isJSON else { return .answer(.unsupportedMediaType) }
        var sender: TicketSender?
        if claimant.isSender {
            switch secrets.route(body, of: claimant) {
            case .tenant(let found): sender = found
            case .refused(let cause): return refuse(&exchange, cause)
            case .notJSON(let fault): return .answer(note(.json(fault), in: &exchange))
            }
        }
        if let allowances, isOverLimit(&exchange, of: sender?.tenantID ?? claimant.id, allowances) {
            return .answer(.rateLimited)
        }
        if let refusal = readTicket(&exchange, body, from: sender) { return .answer(refusal) }
        // The key is that of the tenant, or the sender, that was found first.
        if secrets.arePerTenant && exchange.ticket.tenantID != (claimant.isSender ? sender?.tenantID : claimant.id) {
            return refuse(&exchange, .otherTenant)
        }
        if let refusal = checkDelivery(&exchange, time: time) { return .answer(refusal) }
        return push(&exchange, body, time: time, request: request, queue: &queue)
    }

    /// Why the request is not from whom it claims to be; nil if it is.
    private mutating func authenticate(
        _ exchange: inout Exchange, _ body: Span<UInt8>, time: [UInt8]
    ) -> RefusalCause? {
        var now = 0
        if secrets.arePerTenant {
            if !claimant.isSender { reader.tenant(of: body, into: &claimant.id) }
            now = Timestamp.seconds(of: time.span)
        }
        switch secrets.check(exchange.credentials, of: body, from: claimant, at: now) {
        case .refused(let cause): return cause
        case .accepted(nil): return nil
        case .accepted(let key?):
            exchange.key = secrets.tenants?.provenKey(key)
            if claimant.isSender { exchange.sender = claimant.id }
            return nil
        }
    }

    /// All causes get the same response, apart from a missing header.
    private func refuse(_ exchange: inout Exchange, _ cause: RefusalCause) -> Disposition {
        exchange.refusalCause = cause
        if secrets.arePerTenant && Ticket.isTenantID(claimant.id.span) {
            if claimant.isSender { exchange.sender = claimant.id } else { exchange.claimedTenant = claimant.id }
        }
        return .answer(cause == .headerMissing ? .missingSignature : .invalidSignature)
    }

    /// Charges a request to its tenant, which is proven.
    private func isOverLimit(
        _ exchange: inout Exchange, of tenant: [UInt8], _ allowances: any Allowances
    ) -> Bool {
        guard let limited = secrets.tenants?.limitedTenant(tenant.span),
            let wait = allowances.take(of: limited.index, within: limited.limit)
        else { return false }
        exchange.limitWait = RateLimit.seconds(ofWait: wait)
        // For the log: the payload is not read.
        exchange.ticket.setTenant(tenant)
        return true
    }

    private mutating func readTicket(
        _ exchange: inout Exchange, _ body: Span<UInt8>, from sender: TicketSender?
    ) -> Reason? {
        do throws(PayloadFault) {
            try reader.read(body, from: sender, into: &exchange.ticket)
        } catch {
            return note(error, in: &exchange)
        }
        return nil
    }

    private func note(_ fault: PayloadFault, in exchange: inout Exchange) -> Reason {
        exchange.faults = fault.rows
        if case .json = fault { return .invalidJSON }
        return .invalidFields
    }

    private func checkDelivery(_ exchange: inout Exchange, time: [UInt8]) -> Reason? {
        if maxAge > 0 && !isRecent(exchange.ticket.createdAt, at: time) {
            let message = "must be within \(maxAge) seconds of now"
            exchange.faults = [FieldFaults.Row(field: Array("created_at".utf8), message: message)]
            return .staleTicket
        }
        if exchange.hasInvalidDeliveryID {
            let message = "must be 1 to \(Exchange.deliveryIDLimit) visible ASCII characters"
            exchange.faults = [FieldFaults.Row(field: Array(exchange.deliveryHeader.utf8), message: message)]
            return .invalidDeliveryID
        }
        return nil
    }

    private func isRecent(_ createdAt: [UInt8], at time: [UInt8]) -> Bool {
        abs(Timestamp.seconds(of: createdAt.span) - Timestamp.seconds(of: time.span)) <= maxAge
    }

    private mutating func push(
        _ exchange: inout Exchange, _ body: Span<UInt8>, time: [UInt8], request: RequestHandle,
        queue: inout some JobQueue
    ) -> Disposition {
        UUID(from: &random).append(to: &exchange.jobID)
        if exchange.ticket.correlationID.isEmpty { exchange.ticket.correlate(with: UUID(from: &random)) }
        let isNamed = !exchange.deliveryID.isEmpty
        if isNamed || encoder.namesDeliveries { exchange.digest = digest(of: body) }
        job.clear()
        encoder.append(of: exchange, body: body, createdAt: time, to: &job)
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
