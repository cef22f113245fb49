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
    let encoder: JobEncoder
    /// Seconds that `created_at` may lie before or after now; 0: any.
    let maxAge: Int
    var reader: TicketReader
    var claimant = Claimant()
    /// The job under way.
    var job: [UInt8] = []
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
        return accept(&exchange, body: body, time: time, request: request, queue: &queue)
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
    func refuse(_ exchange: inout Exchange, _ cause: RefusalCause) -> Disposition {
        exchange.refusalCause = cause
        if secrets.arePerTenant && Ticket.isTenantID(claimant.id.span) {
            if claimant.isSender { exchange.sender = claimant.id } else { exchange.claimedTenant = claimant.id }
        }
        return .answer(cause == .headerMissing ? .missingSignature : .invalidSignature)
    }
}
