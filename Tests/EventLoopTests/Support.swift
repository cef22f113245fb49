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

/// A listening TCP socket on the loopback interface, at a port that the kernel chose.
struct TCPListener: ~Copyable {
    let descriptor: Descriptor
    let port: UInt16

    init() throws {
        descriptor = Descriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = descriptor.number
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(number, address, size) == 0 && listen(number, 16) == 0
                    && getsockname(number, address, &size) == 0
            }
        }
        try #require(isListening)
        port = UInt16(bigEndian: address.sin_port)
    }
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
