import FastCGI
import Product
import System
import Webhook

/// What is counted, and where in a process' page.
///
/// The numbers are a format: processes of two versions share the file while one set follows the other. A number keeps
/// its meaning for as long as `layout` does; a new counter takes a number that is free.
struct Metrics {
    static let layout = SharedCounters.layout

    /// Upper bounds of the histograms' buckets, in seconds.
    static let bounds: [Double] = [
        0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    private static let boundNanoseconds = bounds.map { UInt64($0 * 1e9) }

    enum Gauge: Int, CaseIterable {
        case processID = 0
        case startTime = 1
        case pendingPushes = 2
        case readyConnections = 3
        case busyConnections = 4
        case connectingConnections = 5
        case breakerOpen = 6
        case queueDepth = 7
        case queueDepthTime = 8
        case webConnections = 9
        case residentBytes = 10
        case tenantsDigest = 11
    }
    /// Numbers that are kept for gauges.
    static let gaugeLimit = 16

    enum Counter: Int, CaseIterable {
        case undeliveredAnswers = 16
        case queuedUnanswered = 17
        case reconnects = 18
        case connectionsLost = 19
        case droppedLogLines = 20
        case acceptFailures = 21
        case oversizeRequests = 22
        case refusedConnections = 23
        case processorMicroseconds = 24
        case quarantined = 25
        case quarantineLimited = 26
        case quarantineFailures = 27
    }

    /// The first of 17 numbers: 16 buckets and the sum in nanoseconds.
    enum Histogram: Int, CaseIterable {
        case request = 32
        case push = 64
    }

    /// Where the requests that ended with a reason are counted: here, plus the reason's raw value.
    static let firstReason = 96
    /// Where the requests that were dropped are counted: here, plus the drop's `slot`.
    static let firstDrop = 160
    /// Where the requests that were answered 401 are counted by their causes: here, plus the cause's raw value.
    static let firstCause = 192

    let pages: CounterPages

    init(pages: CounterPages) {
        self.pages = pages
        for gauge in Gauge.allCases { set(gauge, 0) }
    }

    /// Shares the counters in a directory; counts for this process alone where there is none, or no room in it, and
    /// then says why.
    static func shared(in directory: String?) throws(SystemError) -> (Metrics, SystemError?) {
        guard let directory else { return (Metrics(pages: try CounterPages()), nil) }
        do throws(SystemError) {
            return (Metrics(pages: try CounterPages(directory: directory, layout: layout)), nil)
        } catch {
            return (Metrics(pages: try CounterPages()), error)
        }
    }

    func set(_ gauge: Gauge, _ value: Int) { pages.set(UInt64(max(value, 0)), at: gauge.rawValue) }

    func add(_ counter: Counter, _ count: Int = 1) { pages.add(UInt64(count), to: counter.rawValue) }

    func count(_ reason: Reason) { pages.add(1, to: Metrics.firstReason + Int(reason.rawValue)) }

    func count(_ cause: RefusalCause) { pages.add(1, to: Metrics.firstCause + Int(cause.rawValue)) }

    func count(_ reason: DropReason) { pages.add(1, to: Metrics.firstDrop + reason.slot) }

    /// Adds an observation to a histogram: the bucket, and the sum in nanoseconds.
    func observe(_ histogram: Histogram, nanoseconds: UInt64) {
        var bucket = 0
        while bucket < Metrics.boundNanoseconds.count && nanoseconds > Metrics.boundNanoseconds[bucket] { bucket += 1 }
        pages.add(1, to: histogram.rawValue + bucket)
        pages.add(nanoseconds, to: histogram.rawValue + Metrics.bounds.count + 1)
    }
}

extension DropReason {
    /// All of them, in the order in which they are shown.
    static var all: [DropReason] {
        [.incomplete, .timedOut, .lengthMismatch, .assemblyFull, .outOfResources, .unreadable, .replyNotRead]
            + ProtocolFault.allCases.map { .fault($0) }
    }

    /// The number of its counter, from `Metrics.firstDrop`.
    var slot: Int {
        switch self {
        case .incomplete: 0
        case .timedOut: 1
        case .lengthMismatch: 2
        case .assemblyFull: 3
        case .outOfResources: 4
        case .unreadable: 5
        case .replyNotRead: 6
        case .fault(.version): 16
        case .fault(.recordType): 17
        case .fault(.recordOrder): 18
        case .fault(.requestID): 19
        case .fault(.role): 20
        case .fault(.recordLength): 21
        case .fault(.parametersTooLong): 22
        case .fault(.parameterLength): 23
        case .fault(.managementTooLong): 24
        case .fault(.aborted): 25
        case .fault(.trailingBytes): 26
        }
    }

    var label: String {
        switch self {
        case .incomplete: "incomplete"
        case .timedOut: "timed_out"
        case .lengthMismatch: "length_mismatch"
        case .assemblyFull: "assembly_full"
        case .outOfResources: "out_of_resources"
        case .unreadable: "unreadable"
        case .replyNotRead: "reply_not_read"
        case .fault(let fault): "protocol_\(fault.rawValue)"
        }
    }
}
