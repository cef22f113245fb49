import System
import Webhook

/// The time of day as text, made once for each turn that asks for it.
struct TurnClock {
    private var turn = Instant.never
    private(set) var text: [UInt8] = []

    /// RFC 3339, in UTC with microseconds.
    mutating func text(at now: Instant) -> [UInt8] {
        if turn != now {
            turn = now
            text = Timestamp.format(WallClock.now.microseconds)
        }
        return text
    }
}
