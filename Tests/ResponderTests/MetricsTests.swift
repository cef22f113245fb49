import EventLoop
import FastCGI
import Foundation
import TestSupport
import Testing
import Webhook

@testable import servicedesk_responder

@Suite struct MetricsTests {
    private func value(_ name: String, in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    @Test func aHistogramIsCumulative() throws {
        let metrics = Metrics(pages: try CounterPages())
        for nanoseconds: UInt64 in [100_000, 250_000, 250_001, 3_000_000, 60_000_000_000] {
            metrics.observe(.request, nanoseconds: nanoseconds)
        }
        let text = MetricsText.render(metrics).text
        let name = "servicedesk_request_duration_seconds"
        #expect(value(#"\#(name)_bucket{le="0.00025"}"#, in: text) == 2)
        #expect(value(#"\#(name)_bucket{le="0.0005"}"#, in: text) == 3)
        #expect(value(#"\#(name)_bucket{le="0.005"}"#, in: text) == 4)
        #expect(value(#"\#(name)_bucket{le="+Inf"}"#, in: text) == 5)
        #expect(value("\(name)_count", in: text) == 5)
    }

    @Test func everyReasonAndEveryDropHasItsOwnCounter() throws {
        let metrics = Metrics(pages: try CounterPages())
        for reason in Reason.allCases { metrics.count(reason) }
        for fault in ProtocolFault.allCases { metrics.count(.fault(fault)) }
        metrics.count(DropReason.timedOut)
        let text = MetricsText.render(metrics).text
        let samples = text.split(separator: "\n").filter { $0.hasPrefix("servicedesk_requests_total{") }
        #expect(samples.count == Reason.allCases.count && samples.allSatisfy { $0.hasSuffix(" 1") })
        #expect(value(#"servicedesk_dropped_requests_total{reason="protocol_record_type"}"#, in: text) == 1)
        #expect(value(#"servicedesk_dropped_requests_total{reason="incomplete"}"#, in: text) == 0)
        #expect(
            Set(text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { $0.split(separator: " ")[0] }).count
                == text.split(separator: "\n").count { !$0.hasPrefix("#") })
    }

    @Test func countersOutliveTheirProcessAndGaugesDoNot() throws {
        let directory = NSTemporaryDirectory() + "pages-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let first = Metrics(pages: try CounterPages(directory: directory, layout: 9))
        do {
            let second = Metrics(pages: try CounterPages(directory: directory, layout: 9))
            first.add(.reconnects, 2)
            second.add(.reconnects, 3)
            first.set(.pendingPushes, 10)
            second.set(.pendingPushes, 20)
            #expect(first.pages.sum(Metrics.Counter.reconnects.rawValue) == 5)
            #expect(first.pages.values(Metrics.Gauge.pendingPushes.rawValue).sorted() == [10, 20])
        }
        #expect(first.pages.sum(Metrics.Counter.reconnects.rawValue) == 5)
        #expect(first.pages.values(Metrics.Gauge.pendingPushes.rawValue) == [10])
        let third = Metrics(pages: try CounterPages(directory: directory, layout: 9))
        third.add(.reconnects)
        #expect(first.pages.sum(Metrics.Counter.reconnects.rawValue) == 6)
    }
}
