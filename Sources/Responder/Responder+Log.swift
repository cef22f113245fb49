import Delivery
import FastCGI
import Glibc
import System
import Webhook

/// What the log says.
extension Responder {
    /// One line for each request.
    mutating func logRequest(_ slot: Int, _ reason: Reason, nanoseconds: UInt64, isDelivered: Bool, error: PushFailure?)
    {
        guard log.begin(level(of: reason)) else { return }
        log.add("request_id", exchanges[slot].requestID)
        log.add("correlation_id", plain: exchanges[slot].ticket.correlationID)
        log.add("tenant_id", plain: exchanges[slot].ticket.tenantID)
        if exchanges[slot].ticket.tenantID.isEmpty, let tenant = exchanges[slot].provenTenant {
            log.add("tenant_id", plain: tenant)
        }
        log.add("ticket_id", plain: exchanges[slot].ticket.ticketID)
        log.add("job_id", plain: exchanges[slot].jobID)
        log.add("trace_id", plain: exchanges[slot].trace.traceID)
        log.add("span_id", plain: exchanges[slot].trace.spanID)
        log.add("parent_span_id", plain: exchanges[slot].trace.parentID)
        log.add("sender", plain: exchanges[slot].sender)
        if let key = exchanges[slot].key {
            log.add("key", plain: key.id)
            log.add("mode", plain: key.mode)
        }
        log.add("status", number: reason.status)
        log.add("reason", reason.label)
        if let cause = exchanges[slot].refusalCause { log.add("cause", cause.label) }
        // The summary takes a copy of the exchange.
        if reason.isPayloadRefusal, let faults = exchanges[slot].faultSummary { log.add("faults", text: faults) }
        log.add("claimed_tenant", plain: exchanges[slot].claimedTenant)
        if let error { log.add("error", text: error.advice) }
        if !isDelivered { log.add("delivered", "no") }
        if reason.status >= 400 { log.add("remote_addr", unchecked: exchanges[slot].remoteAddress) }
        log.add("body_bytes", number: exchanges[slot].bodyLength)
        log.add("milliseconds", milliseconds: nanoseconds)
        log.add("queue_depth", number: queue.depth)
        log.end()
    }

    private func level(of reason: Reason) -> LogLevel {
        switch reason {
        case .accepted, .repeated: .info
        case .ok: .debug
        case _ where reason.isQueueFailure: .error
        default: .warning
        }
    }

    mutating func logDrop(_ reason: DropReason) {
        guard log.begin(.warning, "request dropped without a response") else { return }
        switch reason {
        case .incomplete: log.add("reason", "the web server closed the connection before the response")
        case .timedOut: log.add("reason", "the request was not complete within SERVICEDESK_REQUEST_TIMEOUT")
        case .lengthMismatch: log.add("reason", "the length of the body is not its Content-Length")
        case .assemblyFull: log.add("reason", "no room to assemble the request: too many others are incomplete")
        case .outOfResources: log.add("reason", "out of memory or descriptors")
        case .unreadable: log.add("reason", "libfcgi could not read the request")
        case .replyNotRead: log.add("reason", "the web server did not read the reply to FCGI_GET_VALUES")
        case .fault(let fault): log.add("reason", text: "unexpected FastCGI from the web server: \(fault.rawValue)")
        }
        log.end()
    }

    /// Once, however many there are.
    mutating func logLostCounters() {
        guard !isLossOfCountersTold, metrics.pages.hasLostPages else { return }
        isLossOfCountersTold = true
        log.line(
            .error,
            "the counters file in SERVICEDESK_RUNTIME_DIR was truncated: /metrics is incomplete until a restart")
    }

    mutating func logAccept(_ failure: AcceptFailure) {
        switch failure {
        case .exhausted(let call, let code):
            let delay = Server.exhaustionDelay.count / 1_000_000
            let advice = [EMFILE, ENFILE].contains(code) ? ": raise the limit of open files" : ""
            guard log.begin(.error, "cannot accept connections for \(delay) ms\(advice)") else { return }
            log.add("error", text: "\(call): \(SystemError.text(code))")
            log.end()
        case .dead(let code):
            log.line(
                .error, "the listening socket was shut down (\(SystemError.text(code))): stopping; start the set again")
        case .refused(let peer):
            guard log.begin(.warning, "refused a connection: FCGI_WEB_SERVER_ADDRS does not name its address") else {
                return
            }
            log.add("remote_addr", text: peer)
            log.end()
        }
    }

    /// One line for each change.
    mutating func logQueue(_ event: DeliveryEvent) {
        switch event {
        case .connected(_, let node): log.line(.info, "connected to \(server(node))")
        case .dialFailed(let failure):
            log.line(.warning, "Redis at \(settings.redis) cannot be reached: \(failure.advice); trying again")
        case .breakerOpened(let cause):
            log.line(
                .error, "answering 503 at once until Redis at \(settings.redis) takes jobs again: \(cause.advice)")
        case .redirected(let node, let other):
            log.line(.info, "Redis node \(node) redirects the queue to \(other)")
        case .breakerClosed: log.line(.info, "Redis takes jobs again")
        case .lengthRefused(let word):
            log.line(
                .error,
                "Redis answered \(word) to LLEN: the queue can grow beyond SERVICEDESK_MAX_QUEUE_DEPTH while the user lacks the right +llen"
            )
        case .lost(let failure, let ambiguous, let retried, let node):
            guard log.begin(.warning, "lost a connection to \(server(node))") else { return }
            log.add("reason", text: failure.advice)
            log.add("ambiguous", number: ambiguous)
            log.add("retried", number: retried)
            log.end()
        }
    }

    /// - Parameter node: of a cluster, to which another node has redirected.
    private func server(_ node: Endpoint?) -> String { node.map { "Redis node \($0)" } ?? "Redis at \(settings.redis)" }
}
