import Glibc

/// A bound socket that listens. The caller must close its descriptor.
package struct ListeningSocket {
    package let number: Int32
    /// The port that the kernel chose for a TCP socket.
    package let port: UInt16

    /// Listens on the loopback interface. Traps on failure.
    package static func loopback() -> ListeningSocket {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let number = listen(AF_INET, at: &address)
        return ListeningSocket(number: number, port: UInt16(bigEndian: address.sin_port))
    }

    /// Listens at a path that does not exist yet. Traps on failure.
    package static func unix(_ path: String) -> ListeningSocket {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        return ListeningSocket(number: listen(AF_UNIX, at: &address), port: 0)
    }

    /// Binds to an address and listens; `address` becomes the one that the kernel chose.
    private static func listen<Address>(_ domain: Int32, at address: inout Address) -> Int32 {
        let number = socket(domain, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var size = socklen_t(MemoryLayout<Address>.size)
        let isListening = unsafe withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = unsafe bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return unsafe bind(number, pointer, size) == 0 && Glibc.listen(number, 1024) == 0
                && getsockname(number, pointer, &size) == 0
        }
        precondition(isListening, "a test's socket cannot listen")
        return number
    }
}
