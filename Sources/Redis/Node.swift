import Delivery
import EventLoop
import System

/// One Redis server: where it is, how to greet it, and the look-up of its name.
final class Node {
    enum Target {
        case address(SocketAddress)
        /// The name is being looked up.
        case pending
        case failed(ConnectionFailure)
    }

    private(set) var address: Address
    private let network: any Network
    let lookUpToken: Token
    private var lookUp: (any LookUp)?
    private var addresses: [SocketAddress] = []
    private var nextAddress = 0
    /// A proxy that does not know CLIENT SETNAME may hang up on it.
    private(set) var takesName = true

    init(_ address: Address, network: any Network, lookUpToken: Token) {
        self.address = address
        self.network = network
        self.lookUpToken = lookUpToken
    }

    var isLookingUp: Bool { lookUp != nil }
    /// Whether the name has addresses that were not tried yet.
    var hasMoreAddresses: Bool { nextAddress < addresses.count }

    /// The next address to try.
    func target() -> Target {
        switch address.endpoint {
        case .unix(let path):
            return SocketAddress(unixPath: path).map { .address($0) } ?? .failed(.unusablePath(path))
        case .tcp(let host, let port):
            if nextAddress < addresses.count {
                nextAddress += 1
                return .address(addresses[nextAddress - 1])
            }
            guard lookUp == nil else { return .pending }
            if let numeric = SocketAddress.resolve(host: host, port: port, isNumeric: true).first {
                return .address(numeric)
            }
            do throws(SystemError) {
                lookUp = try network.lookUp(host: host, port: port, as: lookUpToken)
                return .pending
            } catch {
                return .failed(.noResources)
            }
        }
    }

    /// Takes what the look-up found. Returns false where it has not ended.
    func finishLookUp() -> Bool {
        guard let found = lookUp?.finish() else { return false }
        lookUp = nil
        addresses = found
        nextAddress = 0
        return true
    }

    /// Connected: the next connection goes to the same address, not to one that may be another server's.
    func succeeded() { if nextAddress > 0 { nextAddress -= 1 } }

    func setPassword(_ password: String) { address = address.with(password: password) }

    /// The name is looked up again before the next connection.
    func forgetAddresses() { nextAddress = addresses.count }

    /// The server hung up on the greeting: the next does without CLIENT SETNAME, or with it again.
    func hungUpOnGreeting() { takesName.toggle() }
}
