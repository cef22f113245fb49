import EventLoop
import FastCGI
import Webhook

/// What is counted, and where in a process' page.
struct Metrics {
    /// Changes whenever the words' meaning does: processes of both versions can share a directory while one follows the
    /// other.
    static let layout = 1

    /// Upper bounds of the histograms' buckets, in seconds.
    static let bounds: [Double] = [
        0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    private static let boundNanoseconds = bounds.map { UInt64($0 * 1e9) }

    enum Gauge: Int, CaseIterable {
        case processID = 0
        case startTime, pendingPushes, readyConnections, busyConnections, connectingConnections, breakerOpen
        case queueDepth, queueDepthTime, webConnections
    }

    enum Counter: Int, CaseIterable {
        case undeliveredAnswers = 16
        case queuedUnanswered, reconnects, connectionsLost, droppedLogLines, acceptFailures
    }

    enum Histogram: Int, CaseIterable {
        case request = 32
        case push = 64
    }

    static let firstReason = 96
    static let firstDrop = 160

    let pages: CounterPages

    init(pages: CounterPages) {
        self.pages = pages
        for gauge in Gauge.allCases { set(gauge, 0) }
    }

    func set(_ gauge: Gauge, _ value: Int) { pages.set(UInt64(max(value, 0)), at: gauge.rawValue) }

    func add(_ counter: Counter, _ count: Int = 1) { pages.add(UInt64(count), to: counter.rawValue) }

    func count(_ reason: Reason) { pages.add(1, to: Metrics.firstReason + Int(reason.rawValue)) }

    func count(_ reason: DropReason) { pages.add(1, to: Metrics.firstDrop + Drop.index(of: reason)) }

    /// Adds an observation to a histogram: the bucket, and the sum in nanoseconds.
    func observe(_ histogram: Histogram, nanoseconds: UInt64) {
        var bucket = 0
        while bucket < Metrics.boundNanoseconds.count && nanoseconds > Metrics.boundNanoseconds[bucket] { bucket += 1 }
        pages.add(1, to: histogram.rawValue + bucket)
        pages.add(nanoseconds, to: histogram.rawValue + Metrics.bounds.count + 1)
    }
}

/// Requests that got no answer, by why.
enum Drop {
    static let labels: [String] =
        ["incomplete", "timed_out", "length_mismatch"] + ProtocolFault.allCases.map { "protocol_\(snake($0.rawValue))" }

    static func index(of reason: DropReason) -> Int {
        switch reason {
        case .incomplete: 0
        case .timedOut: 1
        case .fault(let fault): 3 + ProtocolFault.allCases.firstIndex(of: fault)!
        }
    }

    /// The body was not as long as was declared.
    static let lengthMismatch = 2

    private static func snake(_ name: String) -> String {
        name.map { $0.isUppercase ? "_\($0.lowercased())" : String($0) }.joined()
    }
}
