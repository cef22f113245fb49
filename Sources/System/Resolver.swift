/// Looks host names up on a thread of its own: getaddrinfo(3) blocks, and has no timeout.
///
/// One look-up at a time; its end makes the resolver's descriptor readable.
package struct Resolver: ~Copyable {
    /// Finds the addresses of a host. It may block for any length of time.
    package typealias LookUp = @Sendable (_ host: String, _ port: UInt16) -> [SocketAddress]

    /// By getaddrinfo(3).
    package static let system: LookUp = { host, port in
        SocketAddress.resolve(host: host, port: port, isNumeric: false)
    }

    private let lookUp: LookUp
    private var work: BackgroundWork<[SocketAddress]>

    package init(lookUp: @escaping LookUp = system) throws(SystemError) {
        self.lookUp = lookUp
        work = try BackgroundWork()
    }

    package var number: Int32 { work.number }
    package var isBusy: Bool { work.isBusy }

    /// Starts a look-up. Returns false if one is running, or no thread or descriptor is available.
    package mutating func start(host: String, port: UInt16) -> Bool {
        let lookUp = lookUp
        return work.start { lookUp(host, port) }
    }

    /// The addresses that a look-up found, empty if it failed; nil if it has not ended.
    package mutating func finish() -> [SocketAddress]? { work.finish() }
}
