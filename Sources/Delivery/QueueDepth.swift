import System

/// How long the queue is, and how fast it gets shorter while nothing is pushed.
struct QueueDepth {
    /// Nothing measured, or a queue that does not move: ask the sender back after this, seconds.
    private static let unknownWait = 30

    private(set) var last = 0
    private var measured: (depth: Int, at: Instant)?
    /// Jobs a second that workers take.
    private(set) var drainRate = 0.0

    /// A push told the depth.
    mutating func pushed(_ depth: Int) {
        last = depth
        measured = nil
    }

    /// LLEN told the depth, while this process pushes nothing.
    mutating func measure(_ depth: Int, at now: Instant) {
        if let before = measured, now > before.at {
            let rate = Double(before.depth - depth) / (Double(now.since(before.at)) / 1e9)
            drainRate = drainRate == 0 ? max(0, rate) : max(0, 0.7 * drainRate + 0.3 * rate)
        }
        last = depth
        measured = (depth, now)
    }

    /// Redis does not tell the depth: lets a push through, whose reply gives it.
    mutating func assumeBelow(_ limit: Int) {
        last = limit - 1
        measured = nil
    }

    /// Seconds until the depth is below a limit at the rate that was measured, 1 to 300.
    func secondsUntil(_ limit: Int) -> Int {
        guard drainRate > 0 else { return QueueDepth.unknownWait }
        let seconds = (Double(last - limit + 1) / drainRate).rounded(.up)
        return Int(min(max(seconds, 1), 300))
    }
}
