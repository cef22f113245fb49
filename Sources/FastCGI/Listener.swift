import CLinux
import Glibc
package import System

/// The listening socket that the process was started with, unix or TCP, shared with its sibling processes.
package struct Listener: ~Copyable {
    private var descriptor: Descriptor
    private let webServers: WebServerAddresses?

    /// Takes over a listening socket. Throws if the descriptor is not one.
    ///
    /// - Parameter webServers: who may connect over TCP; nil: everybody.
    package init(_ descriptor: consuming Descriptor, webServers: WebServerAddresses? = nil) throws(SystemError) {
        var listening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let number = descriptor.number
        guard unsafe getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 else {
            throw SystemError("getsockopt")
        }
        guard listening == 1 else { throw SystemError("accept", EINVAL) }
        guard fcntl(number, F_GETFL) >= 0 else { throw SystemError("fcntl") }
        // Accepted connections inherit these. With a TCP buffer that holds a whole request few have to be assembled.
        descriptor.set(SO_RCVBUF, at: SOL_SOCKET, to: 524_288)
        descriptor.set(SO_SNDBUF, at: SOL_SOCKET, to: 262_144)
        descriptor.set(TCP_NODELAY, at: Int32(IPPROTO_TCP), to: 1)
        try descriptor.setReceiveTimeout(microseconds: 1)
        self.descriptor = descriptor
        self.webServers = webServers
        ensureNonBlocking()
    }

    package var number: Int32 { descriptor.number }

    package var isOpen: Bool { number >= 0 }

    package mutating func close() { descriptor = .none }

    /// Sets O_NONBLOCK again if it has been cleared.
    ///
    /// The flag belongs to the open file, which siblings and a supervisor share: systemd clears it whenever it starts
    /// or reloads a unit with `StandardInput=socket`. If it is cleared just before accept(2), the receive timeout
    /// limits that call.
    func ensureNonBlocking() {
        let flags = fcntl(number, F_GETFL)
        if flags & O_NONBLOCK == 0 { _ = fcntl(number, F_SETFL, flags | O_NONBLOCK) }
    }

    package enum Accepted: ~Copyable {
        case connection(Descriptor)
        /// No connection waits, or another process was faster.
        case nobody
        /// A peer whose address is not allowed; its connection is closed.
        case refused(peer: String)
        /// No descriptor or memory is left: try again later.
        case exhausted(SystemError)
        /// The socket no longer listens: it was shut down, for every process that shares it.
        case dead(SystemError)
    }

    package func accept() -> Accepted {
        let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        var peer = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let listening = number
        let accepted = unsafe withUnsafeMutableBytes(of: &peer) { bytes in
            let address = unsafe bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return retryingInterrupts { unsafe accept4(listening, address, &size, flags) }
        }
        guard accepted < 0 else {
            let connection = Descriptor(owning: accepted)
            if let webServers, let name = webServers.refuse(peer) { return .refused(peer: name) }
            return .connection(connection)
        }
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(SystemError("accept4"))
        case EINVAL, ENOTSOCK, EOPNOTSUPP: return .dead(SystemError("accept4"))
        // Any other error concerns the connection that accept(2) would have returned. For a unix socket that was shut
        // down the error is EAGAIN every time.
        default: return isShutDown ? .dead(SystemError("accept4", EINVAL)) : .nobody
        }
    }

    private var isShutDown: Bool {
        let hangUp = Int16(POLLRDHUP)
        var entry = pollfd(fd: number, events: hangUp, revents: 0)
        return retryingInterrupts { unsafe poll(&entry, 1, 0) } > 0 && entry.revents & (hangUp | Int16(POLLHUP)) != 0
    }
}
