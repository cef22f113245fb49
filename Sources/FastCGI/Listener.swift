import CLinux
package import EventLoop
import Glibc

/// The listening socket that the process was started with, unix or TCP, shared with its sibling processes.
package struct Listener: ~Copyable {
    private var descriptor: Descriptor

    /// Takes over a listening socket. Throws where the descriptor is none.
    package init(_ descriptor: consuming Descriptor) throws(SystemError) {
        var listening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let number = descriptor.number
        guard unsafe getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 else {
            throw SystemError("getsockopt")
        }
        guard listening == 1 else { throw SystemError("accept", EINVAL) }
        let flags = fcntl(number, F_GETFL)
        guard flags >= 0, fcntl(number, F_SETFL, flags | O_NONBLOCK) == 0 else { throw SystemError("fcntl") }
        // Accepted connections inherit these. A TCP buffer must hold a whole request; a unix socket's does.
        descriptor.set(SO_RCVBUF, at: SOL_SOCKET, to: 524_288)
        descriptor.set(SO_SNDBUF, at: SOL_SOCKET, to: 262_144)
        descriptor.set(TCP_NODELAY, at: Int32(IPPROTO_TCP), to: 1)
        self.descriptor = descriptor
    }

    package var number: Int32 { descriptor.number }

    package var isOpen: Bool { number >= 0 }

    package mutating func close() { descriptor = .none }

    package enum Accepted: ~Copyable {
        case connection(Descriptor)
        /// Nobody waits, or another process was faster.
        case nobody
        /// No descriptor or memory is left: try again later.
        case exhausted(SystemError)
    }

    package func accept() -> Accepted {
        let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = retryingInterrupts { [number] in accept4(number, nil, nil, flags) }
        if number >= 0 { return .connection(Descriptor(owning: number)) }
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(SystemError("accept4"))
        // What else accept(2) returns concerns the connection that it would have returned.
        default: return .nobody
        }
    }
}
