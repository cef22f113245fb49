import System

/// Whom to connect to next, and when: one attempt at a time.
struct Dialler: ~Copyable {
    let address: Address
    /// The node of a cluster that has the queue, as another has told, in place of the address.
    private var owner: Address.Endpoint?
    /// In place of both for the next connection alone.
    private var asked: Address.Endpoint?
    /// The look-up that is under way is of a name that is no longer wanted.
    private var isLookUpStale = false
    var resolver: Resolver
    private var addresses: [SocketAddress] = []
    private var nextAddress = 0

    /// Failures in a row while no connection was ready.
    var failures = 0
    /// No attempt before this.
    var notBefore = Instant(nanoseconds: 0)
    /// When the last attempt began.
    var lastDial = Instant(nanoseconds: 0)
    /// When the look-up that is under way counts as a failure.
    var lookUpDeadline = Instant.never
    /// The slot whose connection is not ready yet.
    var dialling: Int?
    /// Those that are ready cannot take more.
    var wantsAnother = false
    var lastFailure = ""

    init(address: Address, lookUp: @escaping Resolver.LookUp) throws(SystemError) {
        self.address = address
        resolver = try Resolver(lookUp: lookUp)
    }

    var isBusy: Bool { dialling != nil || resolver.isBusy }

    enum Target {
        case address(SocketAddress)
        /// The name is being looked up; the resolver's descriptor tells.
        case pending
        case failed(String)
    }

    /// Whether `ASKING` must go before each command on the next connection.
    var asks: Bool { asked != nil }

    var isRedirected: Bool { asked != nil || owner != nil }

    /// Where the next connection goes.
    var endpoint: Address.Endpoint { asked ?? owner ?? address.endpoint }

    /// Connects to another node from here on, or with `asks` once.
    mutating func follow(to endpoint: Address.Endpoint, asks: Bool) {
        if !asks { owner = endpoint }
        asked = asks ? endpoint : nil
        dropAddresses()
    }

    /// Goes back from the node that is asked to the owner, or from the owner to the address that was set.
    mutating func forgetRedirect() {
        guard isRedirected else { return }
        if asked == nil { owner = nil }
        asked = nil
        dropAddresses()
    }

    private mutating func dropAddresses() {
        addresses = []
        nextAddress = 0
        isLookUpStale = resolver.isBusy
    }

    /// The next address to try.
    mutating func target() -> Target {
        switch endpoint {
        case .unix(let path):
            guard let address = SocketAddress(unixPath: path) else { return .failed("\(path) is no path of a socket") }
            return .address(address)
        case .tcp(let host, let port):
            if nextAddress < addresses.count {
                nextAddress += 1
                return .address(addresses[nextAddress - 1])
            }
            let numeric = SocketAddress.resolve(host: host, port: port, isNumeric: true)
            if let first = numeric.first { return .address(first) }
            return resolver.start(host: host, port: port) ? .pending : .failed("no thread to look \(host) up")
        }
    }

    /// Takes what a look-up found. Returns whether there is anything to try.
    mutating func resolved(_ found: [SocketAddress]) -> Bool {
        lookUpDeadline = .never
        if isLookUpStale {
            isLookUpStale = false
            return true
        }
        addresses = found
        nextAddress = 0
        return !found.isEmpty
    }

    /// A connection was made: the next one goes to the same address, not to one that may be another server's.
    mutating func succeeded() {
        failures = 0
        dialling = nil
        wantsAnother = false
        if nextAddress > 0 { nextAddress -= 1 }
        if asks { forgetRedirect() }
    }

    /// Whether the name has addresses that were not tried yet.
    var hasMoreAddresses: Bool { nextAddress < addresses.count }

    /// Forgets addresses, so that the name is looked up again.
    mutating func forgetAddresses() { nextAddress = addresses.count }
}
