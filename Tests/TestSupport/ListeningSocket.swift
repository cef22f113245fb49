import Glibc

/// A socket that was bound and listens; its descriptor is its taker's to close.
package struct ListeningSocket {
    package let number: Int32
    /// Of a TCP socket: the one that the kernel chose.
    package let port: UInt16

    /// On the loopback interface. Traps where that cannot be.
    package static func loopback() -> ListeningSocket {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let number = listen(AF_INET, at: &address)
        return ListeningSocket(number: number, port: UInt16(bigEndian: address.sin_port))
    }

    /// At a path where there is nothing. Traps where that cannot be.
    package static func unix(_ path: String) -> ListeningSocket {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        return ListeningSocket(number: listen(AF_UNIX, at: &address), port: 0)
    }

    /// Binds to an address, which is then the one that the kernel chose, and listens.
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
