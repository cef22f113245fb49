import Bytes
import JSON

extension Exchange {
    /// Notes that the delivery is a repeat: its job is the first delivery's.
    package mutating func repeats(_ job: [UInt8]) { jobID = job }

    /// Appends the answer as a CGI response (RFC 3875, section 6): header fields, an empty line, the body.
    ///
    /// - Parameter retryAfter: seconds, for a 503.
    package func appendAnswer(_ reason: Reason, retryAfter: Int, to response: inout [UInt8]) {
        if reason.status == 202 { return appendAccepted(to: &response) }
        var body: [UInt8] = []
        appendProblem(reason, to: &body)
        appendHead(reason, type: "application/problem+json", length: body.count, to: &response)
        switch reason {
        case .methodNotAllowed: response.append(route.isWebhook ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n")
        case .rateLimited: Exchange.append(retryAfter: limitWait, to: &response)
        case _ where reason.status == 503: Exchange.append(retryAfter: retryAfter, to: &response)
        default: break
        }
        response.append("\r\n")
        appendBody(body, to: &response)
    }

    private static func append(retryAfter seconds: Int, to response: inout [UInt8]) {
        response.append("Retry-After: ")
        response.append(decimal: seconds)
        response.append("\r\n")
    }

    /// Appends an answer with another type and a given body.
    package func appendAnswer(_ reason: Reason, type: StaticString, body: [UInt8], to response: inout [UInt8]) {
        appendHead(reason, type: type, length: body.count, to: &response)
        response.append("\r\n")
        appendBody(body, to: &response)
    }

    /// HEAD gets the header of what GET would get, and no body (RFC 3875, section 4.3.3).
    private func appendBody(_ body: [UInt8], to response: inout [UInt8]) {
        if method != .head { response.append(body.span) }
    }

    private func appendAccepted(to response: inout [UInt8]) {
        let before: StaticString = #"{"status":"accepted","job_id":""#
        let after: StaticString = #"","message":"Enhancement job queued successfully"}"#
        let length = before.utf8CodeUnitCount + jobID.count + after.utf8CodeUnitCount
        appendHead(.accepted, type: "application/json", length: length, to: &response)
        response.append("\r\n")
        response.append(before, jobID.span, after)
    }

    private func appendHead(_ reason: Reason, type: StaticString, length: Int, to response: inout [UInt8]) {
        response.append("Status: ")
        response.append(decimal: reason.status)
        response.append(" ", reason.title, "\r\nContent-Type: ")
        response.append(type)
        response.append("\r\nContent-Length: ")
        response.append(decimal: length)
        response.append("\r\nX-Request-ID: ", requestID.span, "\r\n")
    }

    /// The faults, as an array of objects.
    func appendFaults(to json: inout [UInt8]) {
        json.append("[")
        for (index, fault) in faults.enumerated() {
            json.append(index == 0 ? #"{"field":"# : #",{"field":"#)
            json.append(jsonString: fault.field.span)
            json.append(#","message":"#)
            json.append(jsonString: fault.message)
            json.append("}")
        }
        json.append("]")
    }

    /// A problem of RFC 9457.
    private func appendProblem(_ reason: Reason, to body: inout [UInt8]) {
        body.append(#"{"type":"about:blank","title":""#)
        body.append(reason.title)
        body.append(#"","status":"#)
        body.append(decimal: reason.status)
        body.append(#","detail":""#)
        body.append(reason.detail)
        body.append(#"""#)
        if !faults.isEmpty {
            body.append(#","errors":"#)
            appendFaults(to: &body)
        }
        body.append(#","request_id":"#)
        body.append(jsonString: requestID.span)
        body.append("}")
    }
}
