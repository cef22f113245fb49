import JSON
import System

/// What became of a number of posts.
struct PostSummary {
    private let counts: [Int: Int]
    private let latencies: [Int]
    private let errors: [String: Int]
    private let expected: Int
    private let seconds: Double

    init(_ posts: [Post], of expected: Int, nanoseconds: UInt64) {
        counts = Dictionary(posts.map { ($0.status, 1) }, uniquingKeysWith: +)
        errors = Dictionary(posts.filter { $0.status == 0 }.map { ($0.error, 1) }, uniquingKeysWith: +)
        latencies = posts.filter { $0.status != 0 }.map(\.microseconds).sorted()
        self.expected = expected
        seconds = Double(nanoseconds) / 1e9
    }

    var areAllAccepted: Bool { counts == [202: expected] }

    /// Of a single post.
    var statusLine: String {
        let name = counts.keys.first.map(Self.name) ?? "no result"
        return errors.keys.first.map { "\(name): \($0)" } ?? name
    }

    private static func name(_ status: Int) -> String { status == 0 ? "no answer" : "\(status)" }

    private func percentile(_ share: Double) -> Int {
        latencies.isEmpty ? 0 : latencies[min(Int(Double(latencies.count) * share), latencies.count - 1)]
    }

    private static let shares = [("min", 0.0), ("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)]

    private var rate: Int { seconds > 0 ? Int(Double(latencies.count) / seconds) : 0 }

    var lines: [String] {
        var lines = counts.sorted { $0.key < $1.key }.map { "\(Self.name($0.key)): \($0.value)" }
        for (error, count) in errors.sorted(by: { $0.value > $1.value }).prefix(3) {
            lines.append("  \(count) × \(error)")
        }
        guard !latencies.isEmpty else { return lines }
        let times = Self.shares.map { "\($0.0) \(Self.milliseconds(percentile($0.1)))" }.joined(separator: ", ")
        lines.append("milliseconds: \(times)")
        lines.append("\(rate) a second")
        return lines
    }

    private static func milliseconds(_ microseconds: Int) -> String {
        "\(microseconds / 1000).\(microseconds % 1000 / 100)"
    }

    var tree: JSONTree {
        let statuses = counts.filter { $0.key != 0 }.sorted { $0.key < $1.key }
        let times = Self.shares.map { (name: $0.0, value: JSONTree.number(percentile($0.1))) }
        return [
            "posts": .number(expected),
            "statuses": .object(statuses.map { (name: "\($0.key)", value: .number($0.value)) }),
            "unanswered": .number(counts[0] ?? 0),
            "errors": .array(errors.keys.sorted().map { .string($0) }),
            "latency_microseconds": .object(times),
            "posts_per_second": .number(rate),
        ]
    }
}

/// A line on a terminal that says how many posts have ended.
struct Progress {
    private let count: Int
    private let isShown: Bool

    init(of count: Int) {
        self.count = count
        isShown = count > 1 && StandardStreams.isErrorTerminal
    }

    func show(_ done: Int) { if isShown { StandardStreams.writeError("\r\(done) of \(count)") } }

    func end() { if isShown { StandardStreams.writeError("\r\u{1B}[K") } }
}
