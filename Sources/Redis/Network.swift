package import EventLoop
import Glibc
package import System

/// What the pool needs of the world around it: connections, name look-ups, timers and the time.
package protocol Network: Scheduler {
    /// Begins to connect. Events of the connection come as `token`.
    ///
    /// - Parameter tls: who the server must prove to be; nil: without TLS.
    func connect(to address: SocketAddress, as token: Token, tls: TLSServer?) throws(SystemError) -> any Transport
    /// Begins to look up a host. Its end comes as an event of `token`.
    func lookUp(host: String, port: UInt16, as token: Token) throws(SystemError) -> any LookUp
}

/// A name look-up under way. Letting go of it gives up its result.
package protocol LookUp: AnyObject {
    /// The addresses, empty where there are none; nil where it has not ended.
    func finish() -> [SocketAddress]?
}

/// Sockets, getaddrinfo(3) on a thread of its own, and the process' event loop.
package final class LoopNetwork: Network {
    private let loop: EventLoop
    private let resolve: Resolver.LookUp
    /// For servers that are spoken to over TLS.
    package var tlsContext: TLSContext?

    package init(_ loop: EventLoop, tls: TLSContext? = nil, lookUp: @escaping Resolver.LookUp = Resolver.system) {
        self.loop = loop
        resolve = lookUp
        tlsContext = tls
    }

    package var now: Instant { loop.now }
    package func schedule(_ deadline: Instant, _ token: Token) { loop.schedule(deadline, token) }

    package func connect(
        to address: SocketAddress, as token: Token, tls: TLSServer?
    ) throws(SystemError) -> any Transport {
        let descriptor = try address.connect()
        try loop.watch(descriptor.number, for: [.readable, .writable], as: token)
        let loop = loop
        let socket = PlainTransport(descriptor) { (number, readiness) throws(SystemError) in
            try loop.rewatch(number, for: readiness, as: token)
        }
        guard let tls else { return socket }
        return try TLSTransport(socket, tlsContext, to: tls)
    }

    package func lookUp(host: String, port: UInt16, as token: Token) throws(SystemError) -> any LookUp {
        let lookUp = try ThreadLookUp(resolve)
        guard lookUp.start(host: host, port: port) else { throw SystemError("pthread_create") }
        try loop.watch(lookUp.number, for: .readable, as: token)
        return lookUp
    }
}

private final class ThreadLookUp: LookUp {
    private var resolver: Resolver

    init(_ lookUp: @escaping Resolver.LookUp) throws(SystemError) { resolver = try Resolver(lookUp: lookUp) }

    var number: Int32 { resolver.number }
    func start(host: String, port: UInt16) -> Bool { resolver.start(host: host, port: port) }
    func finish() -> [SocketAddress]? { resolver.finish() }
}
