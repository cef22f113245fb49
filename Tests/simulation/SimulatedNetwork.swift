import EventLoop
import Glibc
import Redis
import System

/// The network between the pool and the servers: it delays, cuts, drops and resets.
final class SimulatedNetwork: Network {
    let world: World
    let servers: [SimulatedRedis]
    /// What each name leads to: servers, or nothing.
    var names: [String: [Int]] = [:]
    /// Until when look-ups do not end.
    var lookUpsHangUntil = Instant(nanoseconds: 0)
    /// Longest way of a packet, microseconds.
    var latency = 300
    /// Whether transports hold bytes above the socket, as TLS does.
    var holdsBytes = false
    /// What connections over TLS have in common.
    var tlsContext: TLSContext?
    /// Called when the pool has something to do.
    var wake: () -> Void = {}
    private(set) var links: [Link] = []
    private(set) var dueTimers: [Token] = []
    private var lookUps: [SimulatedLookUp] = []
    /// When connections ended or could not be made.
    var losses: [Instant] = []

    init(_ world: World, servers: [SimulatedRedis]) {
        self.world = world
        self.servers = servers
    }

    var now: Instant { world.now }

    func schedule(_ deadline: Instant, _ token: Token) {
        world.at(deadline) { [self] in
            dueTimers.append(token)
            wake()
        }
    }

    func takeDueTimers() -> [Token] {
        defer { dueTimers.removeAll() }
        return dueTimers
    }

    func connect(to address: SocketAddress, as token: Token, tls: TLSServer?) throws(SystemError) -> any Transport {
        guard let server = servers.first(where: { $0.address == address }) else {
            throw SystemError("connect", ENETUNREACH)
        }
        if world.oneIn(200) { throw SystemError("socket", EMFILE) }
        let link = Link(self, server: server, token: token, leastRoom: tls == nil ? 40 : 500)
        links.append(link)
        world.note("connect to \(server.name), slot \(token.slot)")
        link.connect()
        guard let tls else { return link }
        return try TLSTransport(link, tlsContext, to: tls)
    }

    func lookUp(host: String, port: UInt16, as token: Token) throws(SystemError) -> any LookUp {
        if world.oneIn(100) { throw SystemError("pthread_create", EAGAIN) }
        let lookUp = SimulatedLookUp(token)
        lookUps.append(lookUp)
        let end = max(lookUpsHangUntil, now) + world.microseconds(100...20_000)
        world.note("look up \(host)")
        world.at(end) { [self] in
            // What the name leads to then.
            let found = names[host] ?? []
            world.note("\(host) is \(found.map { servers[$0].name })")
            lookUp.found = found.map { servers[$0].address }
            wake()
        }
        return lookUp
    }

    /// Look-ups that have ended and were not taken.
    func takeEndedLookUps() -> [Token] {
        let ended = lookUps.filter { $0.found != nil }
        lookUps.removeAll { $0.found != nil }
        return ended.map(\.token)
    }

    func removeDead() { links.removeAll { $0.isDead } }
}

final class SimulatedLookUp: LookUp {
    let token: Token
    var found: [SocketAddress]?

    init(_ token: Token) { self.token = token }

    func finish() -> [SocketAddress]? { found }
}
