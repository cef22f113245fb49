import FastCGI
import Glibc
import System
import TestSupport
import Testing
import Webhook

@testable import Responder

/// Metrics as a scraper reads them.
private struct Scrape {
    let lines: [String]

    init(_ metrics: Metrics) { lines = MetricsText.render(metrics).text.split(separator: "\n").map(String.init) }

    var samples: [String] { lines.filter { !$0.hasPrefix("#") } }

    func value(_ name: String) -> Double? {
        samples.first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
    }
}

extension Metrics {
    fileprivate func sum(_ counter: Counter) -> UInt64 { pages.snapshot(gauges: 0).sums[counter.rawValue] }
    fileprivate func values(_ gauge: Gauge) -> [UInt64] {
        pages.snapshot(gauges: Metrics.gaugeLimit).values(gauge.rawValue)
    }
}

struct MetricsTests {
    @Test func `the buckets of a histogram are cumulative`() throws {
        let metrics = Metrics(pages: try CounterPages())
        let observed: [UInt64] = [
            0, 100_000, 250_000, 250_001, 3_000_000, 10_000_000_000, 10_000_000_001, 60_000_000_000,
        ]
        for nanoseconds in observed { metrics.observe(.request, nanoseconds: nanoseconds) }
        metrics.observe(.push, nanoseconds: 1_500_000)
        let scrape = Scrape(metrics)
        let name = "servicedesk_request_duration_seconds"
        for (bound, count) in [("0.00025", 3), ("0.0005", 4), ("0.0025", 4), ("0.005", 5), ("5.0", 5), ("10.0", 6)] {
            #expect(scrape.value(#"\#(name)_bucket{le="\#(bound)"}"#) == Double(count), "\(bound)")
        }
        #expect(scrape.value(#"\#(name)_bucket{le="+Inf"}"#) == 8 && scrape.value("\(name)_count") == 8)
        #expect(abs((scrape.value("\(name)_sum") ?? 0) - Double(observed.reduce(0, +)) / 1e9) < 1e-6)
        #expect(scrape.value("servicedesk_push_duration_seconds_count") == 1)
        #expect(scrape.value("servicedesk_push_duration_seconds_sum") == 0.0015)
        let counts = scrape.samples.filter { $0.hasPrefix("\(name)_bucket") }.compactMap {
            $0.split(separator: " ").last.flatMap { Int($0) }
        }
        #expect(counts.count == Metrics.bounds.count + 1 && counts == counts.sorted())
    }

    @Test func `every reason and every drop reason has its own counter`() throws {
        let metrics = Metrics(pages: try CounterPages())
        var expected: [String] = []
        for (index, reason) in Reason.allCases.enumerated() {
            for _ in 0...index { metrics.count(reason) }
            let labels = #"status="\#(reason.status)",reason="\#(reason.label)""#
            expected.append("servicedesk_requests_total{\(labels)} \(index + 1)")
        }
        for (index, drop) in DropReason.all.enumerated() { for _ in 0...index { metrics.count(drop) } }
        let scrape = Scrape(metrics)
        #expect(scrape.samples.filter { $0.hasPrefix("servicedesk_requests_total{") } == expected)
        #expect(scrape.value(#"servicedesk_dropped_requests_total{reason="incomplete"}"#) == 1)
        #expect(scrape.value(#"servicedesk_dropped_requests_total{reason="timed_out"}"#) == 2)
        #expect(scrape.value(#"servicedesk_dropped_requests_total{reason="length_mismatch"}"#) == 3)
        #expect(scrape.value(#"servicedesk_dropped_requests_total{reason="assembly_full"}"#) == 4)
        let faults = scrape.samples.filter { $0.contains("{reason=\"protocol_") }
        #expect(faults.map { Int($0.split(separator: " ")[1]) } == (8..<8 + ProtocolFault.allCases.count).map { $0 })
        #expect(faults.allSatisfy { $0.utf8.allSatisfy { !(0x41...0x5A).contains($0) } })
        #expect(scrape.value(#"servicedesk_push_failures_total{reason="ambiguous"}"#) != nil)
        let ambiguous = [Reason.ambiguous, .notReplicated].map { Double(Reason.allCases.firstIndex(of: $0)! + 1) }
        #expect(scrape.value("servicedesk_ambiguous_pushes_total") == ambiguous[0] + ambiguous[1])
    }

    @Test func `every counter and every gauge is shown`() throws {
        let metrics = Metrics(pages: try CounterPages())
        for (index, counter) in Metrics.Counter.allCases.enumerated() { metrics.add(counter, 100 + index) }
        let others: [Metrics.Gauge] = [.processID, .queueDepthTime, .tenantsDigest]
        for (index, gauge) in Metrics.Gauge.allCases.enumerated() where !others.contains(gauge) {
            metrics.set(gauge, 200 + index)
        }
        metrics.set(.processID, Int(getpid()))
        let scrape = Scrape(metrics)
        let processor = try #require(Metrics.Counter.allCases.firstIndex(of: .processorMicroseconds))
        #expect(scrape.value("process_cpu_seconds_total") == Double(100 + processor) / 1e6)
        let shown = Set(scrape.samples.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } })
        for index in Metrics.Counter.allCases.indices where index != processor {
            #expect(shown.contains(100 + index))
        }
        for (index, gauge) in Metrics.Gauge.allCases.enumerated() where !others.contains(gauge) {
            #expect(shown.contains(200 + index), "\(gauge)")
        }
        #expect(scrape.value("servicedesk_processes") == 1)
        #expect((scrape.value("process_open_fds") ?? 0) > 2)
        metrics.set(.pendingPushes, -1)
        #expect(Scrape(metrics).value("servicedesk_pending_pushes") == 0)
    }

    @Test func `versions of the tenants file in use are counted`() throws {
        let directory = TemporaryDirectory()
        let processes = try (0..<4).map { _ in
            Metrics(pages: try CounterPages(directory: directory.path, layout: Metrics.layout))
        }
        func count() -> Double? { Scrape(processes[0]).value("servicedesk_tenants_files") }
        #expect(count() == 0)
        for process in processes.dropFirst() { process.set(.tenantsDigest, 77) }
        #expect(count() == 1)
        processes[0].set(.tenantsDigest, 78)
        #expect(count() == 2)
        let told = try CounterPages.values(of: 11, directory: directory.path, layout: Metrics.layout)
        #expect(told == [78, 77, 77, 77])
    }

    /// Text exposition format 0.0.4.
    @Test func `the format is Prometheus text`() throws {
        let lines = Scrape(Metrics(pages: try CounterPages())).lines
        var family = ""
        var families: Set<String> = []
        for (index, line) in lines.enumerated() {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if line.hasPrefix("# HELP ") {
                family = words[2]
                #expect(families.insert(family).inserted && words.count == 4, "\(line)")
                #expect(lines[index + 1].hasPrefix("# TYPE \(family) "))
            } else if line.hasPrefix("# TYPE ") {
                #expect(words[2] == family && ["counter", "gauge", "histogram"].contains(words[3]))
                #expect(words[3] != "counter" || family.hasSuffix("_total"))
            } else {
                let sample = try #require(
                    line.wholeMatch(of: /([a-z_]+)(\{([a-z]+="[^"\\]*",?)+\})? ([0-9.e+-]+)/), "\(line)")
                #expect(sample.1.hasPrefix(family) && Double(sample.4) != nil)
            }
        }
        #expect(MetricsText.render(Metrics(pages: try CounterPages())).last == 0x0A)
        #expect(families.count > 20)
    }
}

/// The counters that the processes of one socket share.
struct CounterPagesTests {
    private let directory = TemporaryDirectory()

    /// Whether a condition comes to hold within ten seconds. A lock may be released late: a process that another test is
    /// just starting holds a copy of every descriptor until its exec.
    private func eventually(_ condition: () -> Bool) -> Bool {
        let end = Instant.now + .seconds(10)
        while !condition() {
            guard .now < end else { return false }
            usleep(1000)
        }
        return true
    }

    private func metrics(layout: Int = 9) throws -> Metrics {
        Metrics(pages: try CounterPages(directory: directory.path, layout: layout))
    }

    @Test func `counters are summed over all processes, gauges over the living ones`() throws {
        let first = try metrics()
        do {
            let second = try metrics()
            first.add(.reconnects, 2)
            second.add(.reconnects, 3)
            first.set(.pendingPushes, 10)
            second.set(.pendingPushes, 20)
            for one in [first, second] {
                #expect(one.sum(.reconnects) == 5)
                #expect(one.values(.pendingPushes).sorted() == [10, 20])
                #expect(Scrape(one).value("servicedesk_pending_pushes") == 30)
            }
        }
        #expect(first.sum(.reconnects) == 5)
        #expect(eventually { first.values(.pendingPushes) == [10] })
        // The next process takes the free page and adds to its counters; its gauges start at zero.
        let third = try metrics()
        #expect(first.values(.pendingPushes).sorted() == [0, 10])
        third.add(.reconnects)
        #expect(first.sum(.reconnects) == 6)
    }

    /// A counter that fell when a process ends would be taken for a reset.
    @Test func `processor time stays counted after a process has ended`() throws {
        let first = try metrics()
        var last = 0.0
        for round in 0..<3 {
            do {
                let other = try metrics()
                var usage = ProcessUsage()
                usage.noteNow(in: other, at: .now)
                #expect((Scrape(first).value("process_resident_memory_bytes") ?? 0) > 1_000_000)
                // Not noted again before it is due.
                let counted = other.sum(.processorMicroseconds)
                usage.note(in: other, at: .now)
                #expect(other.sum(.processorMicroseconds) == counted)
            }
            let spent = try #require(Scrape(first).value("process_cpu_seconds_total"))
            #expect(spent > last, "\(round)")
            #expect(eventually { Scrape(first).value("process_resident_memory_bytes") == 0 })
            last = spent
        }
    }

    @Test func `counters outlive all their processes`() throws {
        for round in 1...3 {
            let metrics = try metrics()
            metrics.add(.connectionsLost)
            #expect(metrics.sum(.connectionsLost) == UInt64(round))
        }
    }

    // It needs more descriptors than a process has by default, and so runs in one of its own.
    @Test func `1,024 processes share a file, and the next one counts for itself`() async {
        await #expect(processExitsWith: .success) {
            raiseDescriptorLimit()
            let directory = TemporaryDirectory()
            #expect(CounterPages.pageLimit >= 1024)
            var all: [CounterPages] = []
            for _ in 0..<CounterPages.pageLimit { all.append(try CounterPages(directory: directory.path, layout: 2)) }
            for pages in all { pages.add(1, to: 500) }
            let snapshot = all[0].snapshot(gauges: 1)
            #expect(
                snapshot.sums[500] == UInt64(CounterPages.pageLimit) && snapshot.living.count == CounterPages.pageLimit)
            let (metrics, problem) = try Metrics.shared(in: directory.path)
            #expect(problem?.code == EAGAIN)
            metrics.add(.reconnects)
            #expect(metrics.sum(.reconnects) == 1 && all[0].snapshot(gauges: 1).sums[18] == 0)
            all.removeLast()
            #expect(all[0].snapshot(gauges: 1).living.count == CounterPages.pageLimit - 1)
            all.append(try CounterPages(directory: directory.path, layout: 2))
        }
    }

    @Test func `a file grows with the processes that share it`() throws {
        var all: [CounterPages] = []
        for count in 1...3 {
            all.append(try CounterPages(directory: directory.path, layout: 4))
            var status = stat()
            try #require(unsafe stat("\(directory.path)/counters-4", &status) == 0)
            #expect(Int(status.st_size) == count * CounterPages.pageLength * 8)
            // The blocks are allocated, not only the size set.
            #expect(Int(status.st_blocks) * 512 >= Int(status.st_size))
        }
    }

    /// Left by another program, or by a disk that was full.
    @Test(arguments: [[], [1, 2, 3], [UInt8](repeating: 0xFF, count: 4096 * 3 + 5)])
    func `a file that is truncated or garbage kills no process`(content: [UInt8]) throws {
        let path = "\(directory.path)/counters-\(Metrics.layout)"
        let file = try Descriptor.append(to: path)
        if !content.isEmpty { #expect(file.write(content.span) == .bytes(content.count)) }
        let (metrics, problem) = try Metrics.shared(in: directory.path)
        #expect(problem == nil)
        metrics.add(.reconnects)
        metrics.set(.processID, Int(getpid()))
        #expect(Scrape(metrics).value("servicedesk_processes") == 1)
        // Truncated while it is in use.
        #expect(unsafe truncate(path, 0) == 0)
        metrics.add(.reconnects, 5)
        #expect(Scrape(metrics).samples.count > 50 && metrics.pages.hasLostPages)
    }

    @Test func `truncating one mapped file does not affect another`() throws {
        let other = TemporaryDirectory()
        let metrics = try metrics(layout: Metrics.layout)
        let (later, problem) = try Metrics.shared(in: other.path)
        #expect(problem == nil)
        #expect(unsafe truncate("\(directory.path)/counters-\(Metrics.layout)", 0) == 0)
        metrics.add(.reconnects)
        later.add(.reconnects)
        #expect(metrics.pages.hasLostPages && !later.pages.hasLostPages)
    }

    @Test func `a directory or FIFO in place of the file is a fault`() throws {
        try #require(unsafe mkdir("\(directory.path)/counters-6", 0o700) == 0)
        try #require(unsafe mkfifo("\(directory.path)/counters-7", 0o600) == 0)
        for layout in [6, 7] {
            #expect(throws: SystemError.self) { _ = try CounterPages(directory: directory.path, layout: layout) }
        }
    }

    /// Processes of two versions share the file: within one layout every number keeps its meaning.
    @Test func `the layout is pinned`() {
        #expect(
            Metrics.layout == 2 && Metrics.firstReason == 96 && Metrics.firstDrop == 160 && Metrics.gaugeLimit == 16
                && Metrics.firstCause == 192)
        #expect(
            RefusalCause.allCases.map { "\($0.label) \($0.rawValue)" } == [
                "header missing 0", "header malformed 1", "tenant unknown 2", "sender unknown 3", "no key matches 4",
                "mode not accepted 5", "key not yet valid 6", "key expired 7", "timestamp stale 8", "not over TLS 9",
                "value stands for no tenant 10", "tenant inactive 11", "sender inactive 12",
                "the payload names another tenant 13",
            ])
        #expect(
            Metrics.Gauge.allCases.map { "\($0) \($0.rawValue)" } == [
                "processID 0", "startTime 1", "pendingPushes 2", "readyConnections 3", "busyConnections 4",
                "connectingConnections 5", "breakerOpen 6", "queueDepth 7", "queueDepthTime 8", "webConnections 9",
                "residentBytes 10", "tenantsDigest 11",
            ])
        #expect(
            Metrics.Counter.allCases.map { "\($0) \($0.rawValue)" } == [
                "undeliveredAnswers 16", "queuedUnanswered 17", "reconnects 18", "connectionsLost 19",
                "droppedLogLines 20",
                "acceptFailures 21", "oversizeRequests 22", "refusedConnections 23", "processorMicroseconds 24",
                "quarantined 25", "quarantineLimited 26", "quarantineFailures 27",
            ])
        #expect(Metrics.Histogram.allCases.map { "\($0) \($0.rawValue)" } == ["request 32", "push 64"])
        #expect(Metrics.bounds.count == 15)
        #expect(
            Reason.allCases.map { "\($0.label) \($0.rawValue)" } == [
                "accepted 0", "repeated 1", "unknown_path 2", "method_not_allowed 3", "too_large 4",
                "missing_signature 5",
                "invalid_signature 6", "unsupported_media_type 7", "invalid_json 8", "invalid_fields 9",
                "invalid_delivery_id 10", "delivery_conflict 11", "overloaded 12", "breaker_open 13", "queue_full 14",
                "not_connected 15", "push_timed_out 16", "ambiguous 17", "queue_refused 18", "queue_misconfigured 19",
                "not_replicated 20", "ok 21", "not_ready 22", "stale_ticket 23",
                "length_required 24", "rate_limited 25",
            ])
        #expect(
            DropReason.all.map { "\($0.label) \($0.slot)" } == [
                "incomplete 0", "timed_out 1", "length_mismatch 2", "assembly_full 3", "out_of_resources 4",
                "unreadable 5", "reply_not_read 6", "protocol_version 16",
                "protocol_record_type 17", "protocol_record_order 18", "protocol_request_id 19", "protocol_role 20",
                "protocol_record_length 21", "protocol_parameters_too_long 22", "protocol_parameter_length 23",
                "protocol_management_too_long 24", "protocol_aborted 25", "protocol_trailing_bytes 26",
            ])
    }

    @Test func `another layout has another file, which only its owner can read`() throws {
        let old = try metrics(layout: 1)
        let new = try metrics(layout: 2)
        old.add(.reconnects)
        #expect(new.sum(.reconnects) == 0)
        var status = stat()
        try #require(unsafe stat("\(directory.path)/counters-2", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func `a symbolic link in place of the file is not followed`() throws {
        let target = "\(directory.path)/somebody's"
        _ = try Descriptor.append(to: target)
        try #require(unsafe symlink(target, "\(directory.path)/counters-3") == 0)
        #expect(throws: SystemError.self) { _ = try CounterPages(directory: directory.path, layout: 3) }
        #expect(try readFile(target, limit: 1).isEmpty)
    }

    @Test func `the queue depth is the newest that any process has received`() throws {
        let (first, second) = (try metrics(), try metrics())
        first.set(.queueDepth, 7)
        first.set(.queueDepthTime, 2000)
        second.set(.queueDepth, 900)
        second.set(.queueDepthTime, 1000)
        #expect(Scrape(second).value("servicedesk_queue_depth") == 7)
        second.set(.queueDepthTime, 3000)
        #expect(Scrape(first).value("servicedesk_queue_depth") == 900)
    }

    @Test func `a process that counts for itself shares nothing`() throws {
        let (first, second) = (try CounterPages(), try CounterPages())
        first.add(1, to: 3)
        #expect(second.snapshot(gauges: 4).sums[3] == 0 && first.snapshot(gauges: 4).values(3) == [1])
    }
}
