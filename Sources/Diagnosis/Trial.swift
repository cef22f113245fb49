import Bytes
import JSON
package import Webhook

/// What the responder makes of a request: its own checks, with the settings' defaults.
package struct Trial {
    package enum Outcome: Equatable {
        case accepted
        /// 401, with the cause that the log has.
        case refused(RefusalCause)
        /// Another answer than 202 or 401.
        case answered(Reason)
        /// The body is not as long as declared.
        case dropped
    }

    package let outcome: Outcome
    package let exchange: Exchange
    /// Who the request claims to be from.
    package let claimant: Claimant
    /// Whether the payload may be in a form: that of a sender with a profile.
    let allowsForms: Bool

    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - ignoresLength: whether the Content-Length is taken to be right.
    package init(
        _ request: SavedRequest, secrets: Secrets, now: Int, unknownFields: UnknownFields = .reject,
        ignoresLength: Bool = false
    ) {
        var handler = Handler(
            secrets: secrets, bodyLimit: Handler.largestBody, unknownFields: unknownFields, maxAge: 0)
        var exchange = Exchange()
        for (name, value) in Trial.variables(of: request) where name != "CONTENT_LENGTH" || !ignoresLength {
            exchange.take(Array(name.utf8).span, value.span, headers: secrets.headers)
        }
        exchange.complete(bodyLength: request.body.count, random: &handler.random)
        var queue = NoQueue()
        let disposition = handler.handle(
            &exchange, body: request.body.span, time: Timestamp.format(Int64(now) * 1_000_000),
            request: RequestHandle(slot: 0, generation: 0), queue: &queue)
        switch disposition {
        case .queued: outcome = .accepted
        case .answer(let reason): outcome = exchange.refusalCause.map { .refused($0) } ?? .answered(reason)
        case .drop: outcome = .dropped
        case .metrics, .live, .ready: outcome = .answered(.unknownPath)
        }
        claimant = Trial.claimant(of: request, exchange)
        self.exchange = exchange
        allowsForms = claimant.isSender && secrets.tenants?.profile(ofSender: claimant.id) != nil
    }

    private static func claimant(of request: SavedRequest, _ exchange: Exchange) -> Claimant {
        if case .sender(let id) = exchange.route { return Claimant(isSender: true, id: id) }
        var id: [UInt8] = []
        TicketReader().tenant(of: request.body.span, into: &id)
        return Claimant(isSender: false, id: id)
    }

    /// The CGI variables as nginx would pass them, if it passed every header. It drops those with an underscore, takes the
    /// first of several, and declares the length of a body that came without one.
    private static func variables(of request: SavedRequest) -> [(name: String, value: [UInt8])] {
        var variables: [(name: String, value: [UInt8])] = [
            ("REQUEST_METHOD", Array(request.method.utf8)), ("SCRIPT_NAME", Array(request.path.utf8)),
        ]
        if request.isEncrypted { variables.append(("HTTPS", Array("on".utf8))) }
        if !request.isWhole && request.value(of: "Content-Type") == nil {
            variables.append(("CONTENT_TYPE", Array("application/json".utf8)))
        }
        if request.value(of: "Content-Length") == nil {
            variables.append(("CONTENT_LENGTH", Array("\(request.body.count)".utf8)))
        }
        for (index, field) in request.fields.enumerated()
        where !request.repeats.contains(index) && !field.name.contains("_") && !field.value.isEmpty {
            switch field.name.lowercased() {
            case "content-type": variables.append(("CONTENT_TYPE", field.value))
            case "content-length": variables.append(("CONTENT_LENGTH", field.value))
            default: variables.append((HeaderNames.text(of: field.name), field.value))
            }
        }
        return variables
    }

    /// Takes every job, and keeps none.
    private struct NoQueue: JobQueue {
        func push(_ job: Span<UInt8>, id: [UInt8], delivery: NamedDelivery?, for request: RequestHandle) -> Reason? {
            nil
        }
    }
}

extension HeaderNames {
    /// The CGI variable of a header, as text.
    static func text(of header: String) -> String { String(decoding: variable(of: header), as: UTF8.self) }
}
