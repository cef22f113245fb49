import FastCGI
import System
import Webhook

/// The metrics of all processes of a socket, as Prometheus reads them (text exposition format 0.0.4).
struct MetricsText {
    private let counters: CounterPages.Snapshot
    private var text = ""

    static func render(_ metrics: Metrics) -> [UInt8] {
        var renderer = MetricsText(counters: metrics.pages.snapshot(gauges: Metrics.gaugeLimit))
        renderer.renderRequests()
        renderer.renderQueue()
        renderer.renderHistogram(
            .request, "servicedesk_request_duration_seconds", "From a complete request to its response.")
        renderer.renderHistogram(.push, "servicedesk_push_duration_seconds", "From a job to the queue's confirmation.")
        renderer.renderProcesses()
        return Array(renderer.text.utf8)
    }

    private init(counters: CounterPages.Snapshot) { self.counters = counters }

    private mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func sample(_ name: String, _ value: some CustomStringConvertible) { sample(name, [], value) }

    private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: some CustomStringConvertible) {
        let list = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
        text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
    }

    private func sum(_ counter: Metrics.Counter) -> UInt64 { counters.sums[counter.rawValue] }

    private func sum(_ reason: Reason) -> UInt64 { counters.sums[Metrics.firstReason + Int(reason.rawValue)] }

    private func values(_ gauge: Metrics.Gauge) -> [UInt64] { counters.values(gauge.rawValue) }

    private func total(_ gauge: Metrics.Gauge) -> UInt64 { values(gauge).reduce(0, &+) }

    private mutating func renderRequests() {
        family("servicedesk_requests_total", "counter", "Requests that were answered, by status and reason.")
        for reason in Reason.allCases {
            let labels = [("status", "\(reason.status)"), ("reason", "\(reason.label)")]
            sample("servicedesk_requests_total", labels, sum(reason))
        }
        family(
            "servicedesk_refused_credentials_total", "counter", "Requests that were answered 401, by the log's cause.")
        for cause in RefusalCause.allCases {
            let count = counters.sums[Metrics.firstCause + Int(cause.rawValue)]
            sample("servicedesk_refused_credentials_total", [("cause", "\(cause.label)")], count)
        }
        family("servicedesk_dropped_requests_total", "counter", "Requests dropped without a response, by reason.")
        for drop in DropReason.all {
            let count = counters.sums[Metrics.firstDrop + drop.slot]
            sample("servicedesk_dropped_requests_total", [("reason", drop.label)], count)
        }
        family("servicedesk_oversize_requests_total", "counter", "Requests whose body was over the limit.")
        sample("servicedesk_oversize_requests_total", sum(.oversizeRequests))
        family(
            "servicedesk_quarantined_requests_total", "counter",
            "Requests that were refused and were to be kept, by what became of that.")
        let outcomes: [(String, Metrics.Counter)] = [
            ("kept", .quarantined), ("limited", .quarantineLimited), ("failed", .quarantineFailures),
        ]
        for (outcome, counter) in outcomes {
            sample("servicedesk_quarantined_requests_total", [("outcome", outcome)], sum(counter))
        }
        family("servicedesk_undelivered_answers_total", "counter", "Responses that the web server did not read.")
        sample("servicedesk_undelivered_answers_total", sum(.undeliveredAnswers))
        family("servicedesk_queued_unanswered_total", "counter", "Jobs queued whose sender did not get the response.")
        sample("servicedesk_queued_unanswered_total", sum(.queuedUnanswered))
    }

    private mutating func renderQueue() {
        family("servicedesk_push_failures_total", "counter", "Jobs that were not confirmed as queued, by reason.")
        for reason in Reason.allCases where reason.isQueueFailure {
            sample("servicedesk_push_failures_total", [("reason", "\(reason.label)")], sum(reason))
        }
        family(
            "servicedesk_ambiguous_pushes_total", "counter", "Jobs that may be queued although the response was 503.")
        sample("servicedesk_ambiguous_pushes_total", sum(.ambiguous) &+ sum(.notReplicated))
        family("servicedesk_pending_pushes", "gauge", "Jobs that wait for Redis.")
        sample("servicedesk_pending_pushes", total(.pendingPushes))
        family("servicedesk_redis_connections", "gauge", "Connections to Redis, by state.")
        sample("servicedesk_redis_connections", [("state", "idle")], total(.readyConnections))
        sample("servicedesk_redis_connections", [("state", "busy")], total(.busyConnections))
        sample("servicedesk_redis_connections", [("state", "connecting")], total(.connectingConnections))
        family("servicedesk_redis_reconnects_total", "counter", "Connections to Redis made after a process's first.")
        sample("servicedesk_redis_reconnects_total", sum(.reconnects))
        family("servicedesk_redis_connections_lost_total", "counter", "Connections to Redis that broke.")
        sample("servicedesk_redis_connections_lost_total", sum(.connectionsLost))
        family("servicedesk_breaker_open", "gauge", "Processes that refuse jobs at once because Redis failed.")
        sample("servicedesk_breaker_open", total(.breakerOpen))
        family("servicedesk_queue_depth", "gauge", "Length of the queue, as last reported by Redis.")
        sample("servicedesk_queue_depth", newestDepth())
    }

    private func newestDepth() -> UInt64 {
        zip(values(.queueDepthTime), values(.queueDepth)).max { $0.0 < $1.0 }?.1 ?? 0
    }

    private mutating func renderHistogram(_ histogram: Metrics.Histogram, _ name: String, _ help: String) {
        family(name, "histogram", help)
        var count: UInt64 = 0
        for (index, bound) in Metrics.bounds.enumerated() {
            count &+= counters.sums[histogram.rawValue + index]
            sample("\(name)_bucket", [("le", "\(bound)")], count)
        }
        count &+= counters.sums[histogram.rawValue + Metrics.bounds.count]
        sample("\(name)_bucket", [("le", "+Inf")], count)
        let nanoseconds = counters.sums[histogram.rawValue + Metrics.bounds.count + 1]
        sample("\(name)_sum", [], Double(nanoseconds) / 1e9)
        sample("\(name)_count", [], count)
    }

    private mutating func renderProcesses() {
        let processes = values(.processID).filter { $0 > 0 }
        family("servicedesk_processes", "gauge", "Processes that share these counters.")
        sample("servicedesk_processes", processes.count)
        family(
            "servicedesk_tenants_files", "gauge",
            "Versions of the tenants file in use; more than 1 while not every process has reloaded it.")
        sample("servicedesk_tenants_files", Set(values(.tenantsDigest)).subtracting([0]).count)
        family("servicedesk_web_connections", "gauge", "FastCGI connections of the web server.")
        sample("servicedesk_web_connections", total(.webConnections))
        family("servicedesk_accept_failures_total", "counter", "Times that descriptors or memory ran out in accept.")
        sample("servicedesk_accept_failures_total", sum(.acceptFailures))
        family("servicedesk_refused_connections_total", "counter", "Connections from addresses that are not allowed.")
        sample("servicedesk_refused_connections_total", sum(.refusedConnections))
        family("servicedesk_dropped_log_lines_total", "counter", "Log lines dropped because the backlog was full.")
        sample("servicedesk_dropped_log_lines_total", sum(.droppedLogLines))
        family("process_cpu_seconds_total", "counter", "Processor time of all processes, past and present.")
        sample("process_cpu_seconds_total", Double(sum(.processorMicroseconds)) / 1e6)
        family("process_resident_memory_bytes", "gauge", "Resident memory of the running processes.")
        sample("process_resident_memory_bytes", total(.residentBytes))
        family("process_open_fds", "gauge", "Open descriptors of this process.")
        sample("process_open_fds", Descriptor.openCount)
        family(
            "process_start_time_seconds", "gauge", "Start time of the oldest running process, in seconds since 1970.")
        sample("process_start_time_seconds", values(.startTime).min() ?? 0)
    }
}
