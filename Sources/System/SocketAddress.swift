import CLinux
import Glibc

/// The address to which a stream socket connects.
@safe package struct SocketAddress: @unchecked Sendable {
    private var storage = sockaddr_storage()
    private var length: socklen_t = 0

    private init() {}

    /// Bytes of a unix socket's path, at most: a zero byte follows it.
    package static let pathLimit = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// A unix socket. Nil if the path is empty, or longer than `pathLimit`.
    package init?(unixPath path: String) {
        var address = sockaddr_un()
        let bytes = Array(path.utf8)
        guard (1...SocketAddress.pathLimit).contains(bytes.count) else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        unsafe withUnsafeBytes(of: address) { source in
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.copyMemory(from: source) }
        }
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
    }

    /// The addresses of a host, in the order in which they should be tried; empty if there are none.
    ///
    /// - Parameter isNumeric: accepts only a numeric host, and so does not block. A look-up may block for as long as
    ///   the system's resolver is configured to wait.
    package static func resolve(host: String, port: UInt16, isNumeric: Bool) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV | (isNumeric ? AI_NUMERICHOST : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let info = unsafe next {
            var address = SocketAddress()
            let source = unsafe UnsafeRawBufferPointer(start: info.pointee.ai_addr, count: Int(info.pointee.ai_addrlen))
            unsafe withUnsafeMutableBytes(of: &address.storage) { unsafe $0.copyMemory(from: source) }
            address.length = unsafe info.pointee.ai_addrlen
            addresses.append(address)
            unsafe next = info.pointee.ai_next
        }
        return addresses
    }

    /// An IP address as RFC 5952 writes it, without a zone; nil for other families.
    package var numericHost: String? {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let result = unsafe withUnsafeBytes(of: storage) { bytes in
            unsafe getnameinfo(
                bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), length, &host, socklen_t(host.count), nil, 0,
                NI_NUMERICHOST)
        }
        guard !isUnix, result == 0 else { return nil }
        let text = host.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: "%")) }
        return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private var isUnix: Bool { storage.ss_family == sa_family_t(AF_UNIX) }

    /// Opens a socket that does not block, and begins to connect it. When that has ended, the socket is writable and
    /// `Descriptor.pendingError` has the result.
    package func connect() throws(SystemError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let number = socket(Int32(storage.ss_family), type, 0)
        guard number >= 0 else { throw SystemError("socket") }
        let descriptor = Descriptor(owning: number)
        if !isUnix { SocketAddress.tune(descriptor) }
        let result = unsafe withUnsafeBytes(of: storage) { bytes in
            retryingInterrupts {
                unsafe Glibc.connect(number, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), length)
            }
        }
        // EISCONN: an interrupted connect(2) went on in the background.
        if result != 0 && errno != EINPROGRESS && errno != EISCONN { throw SystemError("connect") }
        return descriptor
    }

    /// Sends small writes at once, and detects a peer that has vanished: 5 s after data that is not acknowledged, after
    /// some 35 s on an idle connection (a keepalive packet after 30 s; then TCP_USER_TIMEOUT overrides TCP_KEEPCNT, see
    /// tcp(7)).
    private static func tune(_ descriptor: borrowing Descriptor) {
        let tcp = Int32(IPPROTO_TCP)
        descriptor.set(TCP_NODELAY, at: tcp, to: 1)
        descriptor.set(SO_KEEPALIVE, at: SOL_SOCKET, to: 1)
        descriptor.set(TCP_KEEPIDLE, at: tcp, to: 30)
        descriptor.set(TCP_KEEPINTVL, at: tcp, to: 5)
        descriptor.set(TCP_KEEPCNT, at: tcp, to: 3)
        descriptor.set(TCP_USER_TIMEOUT, at: tcp, to: 5000)
    }
}

extension SocketAddress: Equatable {
    package static func == (a: SocketAddress, b: SocketAddress) -> Bool {
        guard a.length == b.length else { return false }
        return unsafe withUnsafeBytes(of: a.storage) { a in
            unsafe withUnsafeBytes(of: b.storage) { b in unsafe memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 }
        }
    }
}
