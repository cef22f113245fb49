import Bytes
import CLinux
import Glibc

/// The addresses that may connect over TCP, as FCGI_WEB_SERVER_ADDRS names them (FastCGI Specification 1.0, section
/// 3.2).
package struct WebServerAddresses: Equatable {
    /// IPv4 addresses in network byte order, as `s_addr` holds them.
    private let addresses: Set<UInt32>

    /// Reads a list of dotted decimal IPv4 addresses with commas between them. Nil if it is not one.
    package init?(_ list: String) {
        var addresses: Set<UInt32> = []
        for word in list.split(separator: ",", omittingEmptySubsequences: false) {
            var address = in_addr()
            let text = word.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            guard unsafe inet_pton(AF_INET, String(text), &address) == 1 else { return nil }
            addresses.insert(address.s_addr)
        }
        self.addresses = addresses
    }

    /// The address of a peer that is not on the list; nil if it is, or if the connection is not over TCP.
    func refuse(_ peer: sockaddr_storage) -> String? {
        switch Int32(peer.ss_family) {
        case AF_INET:
            let address = unsafe withUnsafeBytes(of: peer) { unsafe $0.loadUnaligned(as: sockaddr_in.self) }
            return addresses.contains(address.sin_addr.s_addr) ? nil : WebServerAddresses.name(peer)
        case AF_INET6:
            // An IPv4 address arrives at a listener of both families as ::ffff:a.b.c.d.
            let address = unsafe withUnsafeBytes(of: peer) { unsafe $0.loadUnaligned(as: sockaddr_in6.self) }
            let words = unsafe address.sin6_addr.__in6_u.__u6_addr32
            let isMapped = words.0 == 0 && words.1 == 0 && words.2 == UInt32(0xFFFF).bigEndian
            return isMapped && addresses.contains(words.3) ? nil : WebServerAddresses.name(peer)
        default: return nil
        }
    }

    private static func name(_ peer: sockaddr_storage) -> String {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let result = unsafe withUnsafeBytes(of: peer) { bytes in
            unsafe getnameinfo(
                bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count), &host,
                socklen_t(host.count), nil, 0, NI_NUMERICHOST)
        }
        return result == 0
            ? String(decoding: host.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self) : "unknown address"
    }
}
