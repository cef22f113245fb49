import Bytes

package enum Method: Sendable { case get, head, post, other }

/// The resource that a request asks for.
package enum Route: Equatable, Sendable {
    case webhook, metrics, live, ready, unknown
    /// The webhook of one sender.
    case sender([UInt8])

    var isWebhook: Bool {
        switch self {
        case .webhook, .sender: true
        case .metrics, .live, .ready, .unknown: false
        }
    }
}

/// The Content-Length that a request declared.
package enum DeclaredLength: Equatable, Sendable {
    case absent, malformed
    case bytes(Int)
}

/// One request, from its CGI variables (RFC 3875) to its result. Its buffers are reused for the next one.
package struct Exchange {
    /// Bytes of a request id that is kept, at most.
    package static let requestIDLimit = 128
    /// Bytes of a delivery id, at most (the README, "What is promised").
    package static let deliveryIDLimit = 255

    // From the request.
    package private(set) var method = Method.other
    private var scriptName: [UInt8] = []
    private var pathInfo: [UInt8] = []
    package private(set) var declaredLength = DeclaredLength.absent
    package private(set) var bodyType = BodyType.other
    package private(set) var credentials = CredentialHeaders()
    package private(set) var requestID: [UInt8] = []
    package private(set) var remoteAddress: [UInt8] = []
    package private(set) var deliveryID: [UInt8] = []
    package private(set) var hasInvalidDeliveryID = false
    /// The header that the delivery id came in. `webhook-id` takes precedence over `Idempotency-Key`.
    package private(set) var deliveryHeader = ""
    package internal(set) var trace = TraceContext()
    package internal(set) var bodyLength = 0

    // Set while the request is handled.
    package internal(set) var ticket = Ticket()
    /// The job's id once there is a job: new, or that of the first delivery.
    package internal(set) var jobID: [UInt8] = []
    /// SHA-256 of the body, if the delivery is named or the job is to name it.
    package internal(set) var digest = Tag(repeating: 0)
    package internal(set) var faults: [FieldFaults.Row] = []
    /// Seconds after which a request of the tenant would pass, if this one was over its limit.
    package internal(set) var limitWait = 0
    /// The sender that the path names, if it is well-formed.
    package internal(set) var sender: [UInt8] = []
    /// The key that the sender has; nil with a secret that all share.
    package internal(set) var key: ProvenKey?
    /// Why it is a 401, and the tenant that it claimed to be from, if that is well-formed.
    package internal(set) var refusalCause: RefusalCause?
    package internal(set) var claimedTenant: [UInt8] = []
    /// The tenant whose ticket was refused, once the sender has proven that it may send for it.
    package internal(set) var provenTenant: [UInt8]?

    package init() {}

    /// Forgets the last request.
    package mutating func reset() {
        method = .other
        scriptName.clear()
        pathInfo.clear()
        declaredLength = .absent
        bodyType = .other
        credentials.reset()
        requestID.clear()
        remoteAddress.clear()
        deliveryID.clear()
        hasInvalidDeliveryID = false
        deliveryHeader = ""
        trace.reset()
        bodyLength = 0
        ticket.reset()
        jobID.clear()
        if !faults.isEmpty { faults = [] }
        if !sender.isEmpty { sender = [] }
        key = nil
        refusalCause = nil
        if !claimedTenant.isEmpty { claimedTenant = [] }
        provenTenant = nil
    }

    /// Takes one CGI variable. Those that are not needed are ignored.
    ///
    /// - Parameter headers: those that a credential may be in.
    package mutating func take(_ name: Span<UInt8>, _ value: Span<UInt8>, headers: HeaderNames) {
        credentials.take(name, value, headers: headers)
        switch name.count {
        case 5:
            if name.equals("HTTPS") { credentials.isEncrypted = value.equalsIgnoringCase("on") }
        case 9:
            if name.equals("PATH_INFO") { pathInfo.replace(with: value, limit: 256) }
        case 10:
            if name.equals("REQUEST_ID") { takeRequestID(value) }
        case 11:
            if name.equals("SCRIPT_NAME") { scriptName.replace(with: value, limit: 256) }
            if name.equals("REMOTE_ADDR") { remoteAddress.replace(with: value, limit: 64) }
        case 12:
            if name.equals("CONTENT_TYPE") { bodyType = BodyType(value) }
        case 14:
            if name.equals("CONTENT_LENGTH") { takeLength(value) }
            if name.equals("REQUEST_METHOD") { takeMethod(value) }
        case 15:
            if name.equals("HTTP_WEBHOOK_ID") && !value.isEmpty {
                takeDeliveryID(value.extracting(value.trimmedRange), from: "webhook-id")
            }
            if name.equals("HTTP_TRACESTATE") { trace.take(state: value) }
        case 16:
            if name.equals("HTTP_TRACEPARENT") { trace.take(parent: value.extracting(value.trimmedRange)) }
        case 20:
            guard name.equals("HTTP_IDEMPOTENCY_KEY"), !value.isEmpty, deliveryHeader != "webhook-id" else { break }
            takeDeliveryID(value.extracting(value.trimmedRange), from: "Idempotency-Key")
        default:
            break
        }
    }

    /// Call this after the last variable. A request without a usable id gets a new one.
    package mutating func complete(bodyLength: Int, random: inout RandomSource) {
        self.bodyLength = bodyLength
        guard requestID.isEmpty else { return }
        for _ in 0..<16 { requestID.append(hex: random.next()) }
    }

    private mutating func takeMethod(_ value: Span<UInt8>) {
        if value.equals("POST") {
            method = .post
        } else if value.equals("GET") {
            method = .get
        } else if value.equals("HEAD") {
            method = .head
        }
    }

    private mutating func takeLength(_ value: Span<UInt8>) {
        // Caddy sends -1 for a chunked body.
        if value.isEmpty || value.equals("-1") {
            declaredLength = .absent
        } else {
            // A number too long for an Int is still a length, and over any limit.
            let isNumber = value.isDecimal
            declaredLength = isNumber ? .bytes(value.decimal ?? .max) : .malformed
        }
    }

    private mutating func takeRequestID(_ value: Span<UInt8>) {
        guard value.count <= Exchange.requestIDLimit, value.isVisibleASCII else { return }
        requestID.replace(with: value, limit: Exchange.requestIDLimit)
    }

    private mutating func takeDeliveryID(_ value: Span<UInt8>, from header: String) {
        deliveryHeader = header
        hasInvalidDeliveryID = value.isEmpty || value.count > Exchange.deliveryIDLimit || !value.isVisibleASCII
        deliveryID.replace(with: value, limit: Exchange.deliveryIDLimit)
    }

    /// The faults in one line without a word of the sender's; nil if there are none.
    package var faultSummary: String? {
        guard !faults.isEmpty else { return nil }
        var lines = faults.filter { !$0.isUnknown }.map { String(decoding: $0.line, as: UTF8.self) }
        if faults.contains(where: \.isUnknown) { lines.append("unknown fields") }
        return lines.joined(separator: "; ")
    }

    /// Whether the sender's key proves that the delivery id is its own.
    var isDeliverySigned: Bool { key?.signsDeliveryID == true && deliveryHeader == "webhook-id" }

    /// The path is SCRIPT_NAME followed by PATH_INFO.
    package var route: Route {
        if pathInfo.isEmpty { return Route(scriptName.span) }
        return Route((scriptName + pathInfo).span)
    }
}

/// A key of the tenants file with which a request was accepted.
package struct ProvenKey {
    /// In the table that it was found in.
    package let index: Int
    package let id: [UInt8]
    /// The mode's name.
    package let mode: [UInt8]
    /// Whether it signs the body, and with it the body's length.
    let signsBody: Bool
    /// Whether it signs the `webhook-id`.
    let signsDeliveryID: Bool
}

extension Route {
    init(_ path: Span<UInt8>) {
        if path.equals("/webhook/servicedesk") {
            self = .webhook
        } else if path.equals("/metrics") {
            self = .metrics
        } else if path.equals("/health/live") {
            self = .live
        } else if path.equals("/health/ready") {
            self = .ready
        } else if path.hasPrefix("/webhook/servicedesk/") && path.count > 21 {
            self = .sender([UInt8](copying: path.extracting(droppingFirst: 21)))
        } else {
            self = .unknown
        }
    }
}

extension [UInt8] {
    /// Replaces the content with the first bytes of a value.
    fileprivate mutating func replace(with value: Span<UInt8>, limit: Int) {
        clear()
        append(value.extracting(first: limit))
    }
}

extension Span<UInt8> {
    fileprivate var isDecimal: Bool {
        for index in indices where !self[index].isDigit { return false }
        return !isEmpty
    }

    fileprivate var isVisibleASCII: Bool {
        for index in indices where !self[index].isVisibleASCII { return false }
        return true
    }
}
