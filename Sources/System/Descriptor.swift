import CLinux
import Glibc

/// A file descriptor with one owner: it cannot be copied, and closes when it goes out of scope.
package struct Descriptor: ~Copyable {
    package let number: Int32

    /// Takes ownership of an open descriptor.
    package init(owning number: Int32) { self.number = number }

    /// No descriptor.
    package static var none: Descriptor { Descriptor(owning: -1) }

    deinit { if number >= 0 { close(number) } }

    /// Gives the descriptor up without closing it.
    package consuming func release() {
        discard self
    }
}

/// The result of a read or a write on a descriptor that does not block.
package enum Transfer: Equatable {
    /// So many bytes, at least one.
    case bytes(Int)
    /// Nothing now; epoll reports when to try again.
    case wouldBlock
    /// The peer has closed its end.
    case closed
    case failed(Int32)

    init(_ result: Int) {
        switch result {
        case 1...: self = .bytes(result)
        case 0: self = .closed
        default: self = errno == EAGAIN ? .wouldBlock : .failed(errno)
        }
    }
}

extension Descriptor {
    /// Receives the bytes that have arrived, up to the buffer's size or `limit` bytes, and puts them after the `filled`
    /// bytes that the buffer already holds.
    package func receive(into buffer: inout [UInt8], after filled: Int = 0, atMost limit: Int = .max) -> Transfer {
        let result = unsafe buffer.withUnsafeMutableBytes { bytes in
            let room = min(bytes.count - filled, limit)
            return retryingInterrupts { unsafe recv(number, bytes.baseAddress! + filled, room, 0) }
        }
        return Transfer(result)
    }

    /// Copies the bytes that have arrived, up to the buffer's size, and leaves them in the socket.
    package func peek(into buffer: inout [UInt8]) -> Transfer {
        let flags = Int32(MSG_PEEK | MSG_DONTWAIT)
        let result = unsafe buffer.withUnsafeMutableBytes { bytes in
            retryingInterrupts { unsafe recv(number, bytes.baseAddress!, bytes.count, flags) }
        }
        return Transfer(result)
    }

    /// Sends as much of `bytes` as the socket takes now. A closed peer is an error, never SIGPIPE.
    package func send(_ bytes: Span<UInt8>) -> Transfer {
        let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
        let result = unsafe bytes.withUnsafeBytes { bytes in
            retryingInterrupts { unsafe Glibc.send(number, bytes.baseAddress, bytes.count, flags) }
        }
        return Transfer(result)
    }

    /// Writes as much of `bytes` as the descriptor takes now.
    package func write(_ bytes: Span<UInt8>) -> Transfer {
        let result = unsafe bytes.withUnsafeBytes { bytes in
            retryingInterrupts { unsafe Glibc.write(number, bytes.baseAddress, bytes.count) }
        }
        return Transfer(result)
    }

    /// Shuts down the sending half: the peer reads to the end and then finds the connection closed.
    package func shutDownSending() { shutdown(number, Int32(SHUT_WR)) }

    /// How many unread bytes are in the socket.
    package var unread: Int {
        var count: Int32 = 0
        return unsafe ioctl(number, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    package func set(_ option: Int32, at level: Int32, to value: Int32) {
        var value = value
        _ = unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The process at the other end of a unix socket. On a connection to a listener it is the process that called
    /// listen(2).
    package func peerProcess() throws(SystemError) -> Int32 {
        var credentials = peer_credentials()
        var size = socklen_t(MemoryLayout<peer_credentials>.size)
        guard unsafe getsockopt(number, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 else {
            throw SystemError("getsockopt")
        }
        return credentials.pid
    }

    /// Limits the time that a blocking receive or accept may take.
    package func setReceiveTimeout(microseconds: Int) throws(SystemError) {
        var timeout = timeval(tv_sec: 0, tv_usec: microseconds)
        let size = socklen_t(MemoryLayout<timeval>.size)
        guard unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, size) == 0 else {
            throw SystemError("setsockopt")
        }
    }

    /// The error of a connect(2) in the background; 0 if it succeeded.
    package var pendingError: Int32 {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &value, &size) == 0 ? value : errno
    }
}

/// Two connected stream sockets that do not block, for tests and for waking the loop.
package func makeSocketPair() throws(SystemError) -> (Int32, Int32) {
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    guard unsafe socketpair(AF_UNIX, type, 0, &pair) == 0 else { throw SystemError("socketpair") }
    return (pair[0], pair[1])
}

extension Descriptor {
    /// The kinds of open file that need different ways to write without blocking.
    package enum Kind { case file, pipe, socket, other }

    package var kind: Kind {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { return .other }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFIFO: return .pipe
        case S_IFSOCK: return .socket
        default: return .other
        }
    }

    /// Opens a file to append to, and creates it if it does not exist. A pipe or terminal that cannot be written to
    /// does not block.
    package static func append(to path: String, creating: Bool = true) throws(SystemError) -> Descriptor {
        let flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (creating ? O_CREAT : 0)
        let number = retryingInterrupts { unsafe open(path, flags, 0o640) }
        guard number >= 0 else { throw SystemError("open") }
        return Descriptor(owning: number)
    }

    /// Waits until the descriptor is readable or writable, or the peer has gone. Returns false at the deadline.
    package func wait(for readiness: Readiness, until deadline: Instant) -> Bool {
        let events = Int16(readiness.contains(.writable) ? POLLOUT : POLLIN)
        var entry = pollfd(fd: number, events: events, revents: 0)
        let milliseconds = (deadline.since(.now) + 999_999) / 1_000_000
        return retryingInterrupts { unsafe poll(&entry, 1, Int32(min(milliseconds, 600_000))) } > 0
    }

    /// How many descriptors this process has open.
    package static var openCount: Int {
        guard let directory = unsafe opendir("/proc/self/fd") else { return 0 }
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // Without `.`, `..` and the directory itself.
        return max(0, count - 3)
    }

    /// Another descriptor for the same open file as `number`.
    package static func duplicate(_ number: Int32) throws(SystemError) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw SystemError("fcntl") }
        return Descriptor(owning: copy)
    }
}
