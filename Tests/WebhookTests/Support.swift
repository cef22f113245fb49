import JSON
import TestSupport
import Testing
import Webhook

/// A queue in memory.
struct MemoryQueue: JobQueue {
    struct Push {
        let job: [UInt8]
        let id: [UInt8]
        let delivery: NamedDelivery?
        let request: RequestHandle
    }

    var refusal: Reason?
    private(set) var pushes: [Push] = []

    mutating func push(
        _ job: Span<UInt8>, id: [UInt8], delivery: NamedDelivery?, for request: RequestHandle
    ) -> Reason? {
        pushes.append(Push(job: job.indices.map { job[$0] }, id: id, delivery: delivery, request: request))
        return refusal
    }
}

/// A valid one, of version 00.
let traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

let secret = utf8("0123456789abcdef0123456789abcdef")

extension Array where Element == UInt8 {
    /// As lower-case hexadecimal digits.
    var hex: String { map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }

    /// From hexadecimal digits.
    init(hex: String) {
        let digits = [Character](hex).map { UInt8($0.hexDigitValue!) }
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

// Testing has a Tag of its own.
func bytes(of tag: InlineArray<32, UInt8>) -> [UInt8] { tag.indices.map { tag[$0] } }

func authenticator(_ key: [UInt8] = secret) -> Authenticator { Authenticator(key: key.span) }

/// The secrets in the text of a valid tenants file.
func secrets(of text: String) -> Secrets { Secrets(tenants: try! TenantsFile.parse(utf8(text).span)) }

extension Secrets {
    mutating func accept(_ tag: InlineArray<32, UInt8>, of body: Span<UInt8>, tenant: [UInt8], at now: Int = 0) -> Bool
    {
        if case .accepted = check(tag, of: body, tenant: tenant, at: now) { true } else { false }
    }

    /// Checks a request with a tag in `X-ServiceDesk-Signature`.
    mutating func check(
        _ tag: InlineArray<32, UInt8>, of body: Span<UInt8>, tenant: [UInt8], at now: Int = 0
    ) -> Verdict {
        let headers = presented([("X-ServiceDesk-Signature", bytes(of: tag).hex)])
        return check(headers, of: body, from: Claimant(isSender: false, id: tenant), at: now)
    }

    /// What a request with some headers presents.
    func presented(_ fields: [(String, String)], isEncrypted: Bool = false) -> CredentialHeaders {
        var credentials = CredentialHeaders()
        for (name, value) in fields {
            let variable = "HTTP_" + name.uppercased().replacing("-", with: "_")
            credentials.take(utf8(variable).span, utf8(value).span, headers: headers)
        }
        credentials.isEncrypted = isEncrypted
        return credentials
    }
}

/// The hexadecimal HMAC-SHA256 tag of a body.
func sign(_ body: [UInt8], with secret: [UInt8] = secret) -> String {
    bytes(of: authenticator(secret).tag(of: body.span)).hex
}

/// The members of a payload, as JSON, in order. By default it is valid.
struct Payload {
    private(set) var members: [(key: String, value: String)] = [
        ("event", #""ticket_created""#), ("ticket_id", #""TCK-1042""#), ("tenant_id", #""acme""#),
        ("description", #""Printer \u00e9 😀""#), ("priority", #""high""#),
        ("created_at", #""2026-11-24T10:29:24+01:00""#),
    ]

    /// With the value of a member replaced, or the member added.
    func with(_ key: String, _ value: String) -> Payload {
        var payload = self
        if let index = members.firstIndex(where: { $0.key == key }) {
            payload.members[index].value = value
        } else {
            payload.members.append((key, value))
        }
        return payload
    }

    func without(_ key: String) -> Payload {
        var payload = self
        payload.members.removeAll { $0.key == key }
        return payload
    }

    /// With a member added at the end, even if its key occurs already.
    func adding(_ key: String, _ value: String) -> Payload {
        var payload = self
        payload.members.append((key, value))
        return payload
    }

    var text: String { "{" + members.map { #""\#($0.key)":\#($0.value)"# }.joined(separator: ",") + "}" }
    var bytes: [UInt8] { utf8(text) }
}

/// The error that a ticket reader throws for a body, or nil.
func read(_ body: [UInt8], unknownFields: UnknownFields = .reject, into ticket: inout Ticket) -> PayloadFault? {
    var reader = TicketReader(unknownFields: unknownFields)
    do throws(PayloadFault) {
        try reader.read(body.span, into: &ticket)
        return nil
    } catch {
        return error
    }
}

/// The faults in a body, each as `field: message`.
func rows(_ body: [UInt8], unknownFields: UnknownFields = .reject) -> [String] {
    var ticket = Ticket()
    switch read(body, unknownFields: unknownFields, into: &ticket) {
    case nil: return []
    case .json(let fault): return ["JSON: \(fault.kind)"]
    case .form, .mapping: return ["a payload of another shape"]
    case .fields(let faults): return faults.rows.map { "\($0.field.text): \($0.message)" }
    }
}

/// A request as nginx passes it, valid unless something is changed.
struct Request {
    var method = "POST"
    var script = "/webhook/servicedesk"
    var path = ""
    var body = Payload().bytes
    var contentType: String? = "application/json"
    /// Nil: the length of the body.
    var length: String?
    /// Nil: that of the body under `secret`.
    var signature: String?
    var requestID: String? = "0123456789abcdef"
    var others: [(String, String)] = []

    init(_ change: (inout Request) -> Void = { _ in }) { change(&self) }

    func exchange(
        random: inout RandomSource, bodyLength: Int? = nil, headers: HeaderNames = Secrets(shared: secret).headers
    ) -> Exchange {
        var exchange = Exchange()
        exchange.reset()
        var variables = [
            ("REQUEST_METHOD", method), ("SCRIPT_NAME", script), ("PATH_INFO", path),
            ("CONTENT_LENGTH", length ?? "\(body.count)"), ("HTTP_X_SERVICEDESK_SIGNATURE", signature ?? sign(body)),
        ]
        if let contentType { variables.append(("CONTENT_TYPE", contentType)) }
        if let requestID { variables.append(("REQUEST_ID", requestID)) }
        for (name, value) in variables + others {
            exchange.take(utf8(name).span, utf8(value).span, headers: headers)
        }
        exchange.complete(bodyLength: bodyLength ?? body.count, random: &random)
        return exchange
    }
}

/// The result of a request.
struct Outcome {
    let disposition: Disposition
    let exchange: Exchange
    let queue: MemoryQueue

    /// The response, as it would be sent.
    var answer: String {
        let reason: Reason
        switch disposition {
        case .answer(let refusal): reason = refusal
        case .queued: reason = .accepted
        default: return ""
        }
        var bytes: [UInt8] = []
        exchange.appendAnswer(reason, retryAfter: 2, to: &bytes)
        return bytes.text
    }

    var jobs: [String] { queue.pushes.map(\.job.text) }
}

/// A handler with its queue.
struct Desk {
    var handler: Handler
    var queue = MemoryQueue()
    static let time = "2026-11-24T10:30:00.000001Z"

    init(
        _ secrets: Secrets = Secrets(shared: secret), bodyLimit: Int = Handler.largestBody,
        unknownFields: UnknownFields = .reject,
        maxAge: Int = 0, encoder: JobEncoder = .plain([])
    ) {
        handler = Handler(
            secrets: secrets, bodyLimit: bodyLimit, unknownFields: unknownFields, maxAge: maxAge,
            encoder: encoder)
    }

    mutating func handle(
        _ request: Request, bodyLength: Int? = nil, handle: RequestHandle = RequestHandle(slot: 7, generation: 1)
    ) -> Outcome {
        var exchange = request.exchange(
            random: &handler.random, bodyLength: bodyLength, headers: handler.secrets.headers)
        let disposition = handler.handle(
            &exchange, body: request.body.span, time: utf8(Desk.time), request: handle, queue: &queue)
        return Outcome(disposition: disposition, exchange: exchange, queue: queue)
    }
}

/// The outcome of a request to a new handler.
func outcome(_ change: (inout Request) -> Void = { _ in }) -> Outcome {
    var desk = Desk()
    return desk.handle(Request(change))
}

/// Whether text is one JSON object.
func isJSONObject(_ text: Substring) -> Bool {
    let bytes = Array(text.utf8)
    do throws(JSONFault) {
        var reader = JSONReader()
        try reader.beginObject(in: bytes.span)
        while try reader.nextKey(in: bytes.span) != nil { try reader.skipValue(in: bytes.span) }
        try reader.end(in: bytes.span)
        return true
    } catch {
        return false
    }
}
