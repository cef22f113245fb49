import Bytes
import Delivery
import EventLoop
import FastCGI
import System
import Webhook

/// How a request ends.
extension Responder {
    mutating func answer(_ token: Token, _ reason: Reason, error: PushFailure? = nil) {
        let slot = Int(token.slot)
        response.clear()
        let retryAfter = reason.status == 503 ? queue.health.retryAfter : 0
        Responder.append(reason, of: &exchanges[slot], retryAfter: retryAfter, to: &response)
        finish(token, reason, error: error)
    }

    /// `inout`, since reading from the array would copy all that the exchange holds.
    private static func append(
        _ reason: Reason, of exchange: inout Exchange, retryAfter: Int, to response: inout [UInt8]
    ) {
        exchange.appendAnswer(reason, retryAfter: retryAfter, to: &response)
    }

    mutating func answerAboutSelf(_ disposition: Disposition, _ token: Token) {
        let slot = Int(token.slot)
        response.clear()
        switch disposition {
        case .metrics:
            setGauges()
            usage.noteNow(in: metrics, at: loop.now)
            let text = MetricsText.render(metrics)
            exchanges[slot].appendAnswer(
                .ok, type: "text/plain; version=0.0.4; charset=utf-8", body: text, to: &response)
            finish(token, .ok)
        case .ready where !queue.health.isUsable || drain.hasBegun:
            answer(token, .notReady)
        default:
            let body = Array(#"{"status":"ok"}"#.utf8)
            exchanges[slot].appendAnswer(.ok, type: "application/json", body: body, to: &response)
            finish(token, .ok)
        }
    }

    /// Sends what `response` holds, and counts and logs it.
    private mutating func finish(_ token: Token, _ reason: Reason, error: PushFailure? = nil) {
        let slot = Int(token.slot)
        let response = response
        let isDelivered = server.answer(token, with: response.span)
        let nanoseconds = Instant.now.since(requests[slot].began)
        metrics.count(reason)
        if let cause = exchanges[slot].refusalCause { metrics.count(cause) }
        metrics.observe(.request, nanoseconds: nanoseconds)
        if !isDelivered {
            metrics.add(.undeliveredAnswers)
            if reason.status == 202 { metrics.add(.queuedUnanswered) }
        }
        logRequest(slot, reason, nanoseconds: nanoseconds, isDelivered: isDelivered, error: error)
        reset(slot)
    }

    /// Readies a slot for the next request.
    mutating func reset(_ slot: Int) {
        exchanges[slot].reset()
        requests[slot].end()
    }
}
