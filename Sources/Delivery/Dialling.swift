import System

/// When the next connection is made: one at a time, and not too often.
struct Dialling {
    /// An attempt that is under way.
    struct Attempt {
        let slot: Int
        let endpoint: Endpoint
        /// For pushes that an ASK sends there, not for the queue.
        let isForAsked: Bool
        var deadline: Instant
    }

    private(set) var attempt: Attempt?
    /// Failures in a row.
    private(set) var failures = 0
    /// The last answer of a server was that it is busy.
    private(set) var isServerBusy = false
    /// No attempt before this.
    private(set) var notBefore = Instant(nanoseconds: 0)
    private var lastBegin = Instant(nanoseconds: 0)
    /// The connections that there are cannot take more.
    private(set) var wantsAnother = false

    var isUnderWay: Bool { attempt != nil }

    mutating func begin(_ attempt: Attempt, at now: Instant) {
        self.attempt = attempt
        lastBegin = now
        if !attempt.isForAsked { wantsAnother = false }
    }

    /// The name look-up has ended; connecting has its own time.
    mutating func extend(to deadline: Instant) { attempt?.deadline = deadline }

    /// Ends the attempt. Whether it counts as a failure in a row is another question.
    mutating func ended() -> Attempt? {
        defer { attempt = nil }
        return attempt
    }

    /// A connection for the queue can carry pushes.
    mutating func succeeded() { (failures, isServerBusy, wantsAnother) = (0, false, false) }

    mutating func countFailure() { (failures, isServerBusy) = (failures + 1, false) }
    mutating func noteServerBusy() { (failures, isServerBusy) = (0, true) }
    mutating func wait(until time: Instant) { notBefore = time }

    /// A connection was lost: the next is not made at once after the last.
    mutating func pace(by interval: Nanoseconds) { notBefore = max(notBefore, lastBegin + interval) }

    mutating func askForAnother() { wantsAnother = true }
    mutating func stopAskingForAnother() { wantsAnother = false }
}
