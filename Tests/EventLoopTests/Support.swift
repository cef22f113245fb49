import EventLoop
import System
import Testing

extension EventLoop {
    /// Takes one turn and returns its events.
    func turn(within delay: Nanoseconds = .seconds(5)) -> [(token: Token, readiness: Readiness)] {
        let count = wait(until: .now + delay)
        return (0..<count).map { event($0) }
    }

    /// The timers that are due, in the order in which they are reported.
    func allDue() -> [Token] {
        var tokens: [Token] = []
        while let token = due() { tokens.append(token) }
        return tokens
    }
}
