/// How an exchange ended, which determines its answer. Each reason has one status, and is a label in the metrics and
/// the log.
///
/// The numbers are a format that processes of two versions share (the counters' pages): each keeps its meaning.
package enum Reason: UInt8, CaseIterable {
    case accepted = 0
    /// A named delivery came again: the first job's id is the answer.
    case repeated = 1

    case unknownPath = 2
    case methodNotAllowed = 3
    case tooLarge = 4
    case missingSignature = 5
    case invalidSignature = 6
    case unsupportedMediaType = 7
    case invalidJSON = 8
    case invalidFields = 9
    case invalidDeliveryID = 10
    case deliveryConflict = 11

    /// As many requests wait for Redis as the limit allows.
    case overloaded = 12
    /// Redis has failed repeatedly, and is not tried.
    case breakerOpen = 13
    /// The queue has reached its limit.
    case queueFull = 14
    /// No connection to Redis could be made.
    case notConnected = 15
    /// The deadline passed before the push was written.
    case pushTimedOut = 16
    /// The push was written and not answered: it may have happened.
    case ambiguous = 17
    /// Redis refused the push for the moment.
    case queueRefused = 18
    /// Redis refuses until an operator changes something.
    case queueMisconfigured = 19
    /// Queued, but on fewer replicas than required.
    case notReplicated = 20

    /// Health or metrics, answered.
    case ok = 21
    case notReady = 22

    /// `created_at` is too far from now.
    case staleTicket = 23
    /// A body without a declared length, which nothing proves to be whole.
    case lengthRequired = 24
    /// The tenant has used up its limit.
    case rateLimited = 25

    /// The HTTP status code.
    package var status: Int {
        switch self {
        case .accepted, .repeated: 202
        case .unknownPath: 404
        case .methodNotAllowed: 405
        case .lengthRequired: 411
        case .tooLarge: 413
        case .missingSignature, .invalidSignature: 401
        case .unsupportedMediaType: 415
        case .invalidJSON, .invalidFields, .invalidDeliveryID, .staleTicket: 400
        case .deliveryConflict: 422
        case .rateLimited: 429
        case .overloaded, .breakerOpen, .queueFull, .notConnected, .pushTimedOut, .ambiguous, .queueRefused,
            .queueMisconfigured, .notReplicated, .notReady:
            503
        case .ok: 200
        }
    }

    /// The reason's name in logs and metrics.
    package var label: StaticString {
        switch self {
        case .accepted: "accepted"
        case .repeated: "repeated"
        case .unknownPath: "unknown_path"
        case .methodNotAllowed: "method_not_allowed"
        case .tooLarge: "too_large"
        case .missingSignature: "missing_signature"
        case .invalidSignature: "invalid_signature"
        case .unsupportedMediaType: "unsupported_media_type"
        case .invalidJSON: "invalid_json"
        case .invalidFields: "invalid_fields"
        case .invalidDeliveryID: "invalid_delivery_id"
        case .deliveryConflict: "delivery_conflict"
        case .overloaded: "overloaded"
        case .breakerOpen: "breaker_open"
        case .queueFull: "queue_full"
        case .notConnected: "not_connected"
        case .pushTimedOut: "push_timed_out"
        case .ambiguous: "ambiguous"
        case .queueRefused: "queue_refused"
        case .queueMisconfigured: "queue_misconfigured"
        case .notReplicated: "not_replicated"
        case .ok: "ok"
        case .notReady: "not_ready"
        case .staleTicket: "stale_ticket"
        case .lengthRequired: "length_required"
        case .rateLimited: "rate_limited"
        }
    }

    /// The detail of the problem that the sender gets.
    package var detail: StaticString {
        switch self {
        case .accepted, .repeated, .ok: ""
        case .unknownPath: "No such resource"
        case .methodNotAllowed: "Method not allowed"
        case .lengthRequired: "Content-Length required"
        case .tooLarge: "Webhook payload too large"
        case .missingSignature: "Missing signature header"
        case .invalidSignature: "Invalid webhook signature"
        case .unsupportedMediaType: "Content type must be application/json in UTF-8"
        case .invalidJSON, .invalidFields, .invalidDeliveryID, .staleTicket: "Invalid webhook payload"
        case .deliveryConflict: "Delivery id was used for another payload"
        case .rateLimited: "Too many requests of this tenant"
        case .overloaded, .breakerOpen, .queueFull, .notConnected, .pushTimedOut, .ambiguous, .queueRefused,
            .queueMisconfigured, .notReplicated:
            "Queue unavailable, please retry"
        case .notReady: "Queue not usable"
        }
    }

    /// The reason phrase of the status (RFC 9110, section 15).
    package var title: StaticString {
        switch status {
        case 200: "OK"
        case 202: "Accepted"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 411: "Length Required"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        default: "Service Unavailable"
        }
    }

    /// Whether what the sender sent is at fault, and not who it is or how it asked.
    package var isPayloadRefusal: Bool { status == 400 }

    /// Whether the queue, not the sender, is at fault.
    package var isQueueFailure: Bool { status == 503 && self != .notReady }
}
