/// Where a Redis server listens.
package enum Endpoint: Equatable, Hashable, Sendable {
    case tcp(host: String, port: UInt16)
    case unix(path: String)
}

extension Endpoint: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}
