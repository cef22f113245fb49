import EventLoop
import Glibc
import Testing

/// Two connected sockets, each with its owner.
struct Pair: ~Copyable {
    let near: Descriptor
    let far: Descriptor

    init() throws {
        let (near, far) = try makeSocketPair()
        self.near = Descriptor(owning: near)
        self.far = Descriptor(owning: far)
    }

    /// Closes one end, and leaves the other.
    consuming func closingFar() -> Descriptor { near }
}

extension EventLoop {
    /// Takes one turn and returns its events.
    func turn(within delay: Nanoseconds = .seconds(5)) -> [(token: Token, readiness: Readiness)] {
        let count = wait(until: .now + delay)
        return (0..<count).map { event($0) }
    }

    /// The timers that are due, in the order in which they are told.
    func allDue() -> [Token] {
        var tokens: [Token] = []
        while let token = due() { tokens.append(token) }
        return tokens
    }
}

/// Whether a number is that of an open descriptor.
func isOpen(_ number: Int32) -> Bool { fcntl(number, F_GETFD) >= 0 }
