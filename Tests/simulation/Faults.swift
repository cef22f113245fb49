import Redis
import System
import TestSupport

/// What goes wrong, and when it ends.
final class Faults {
    private let world: World
    private let network: SimulatedNetwork
    private var servers: [SimulatedRedis] { network.servers }
    /// Pushes a named delivery.
    var push: () -> Void = {}
    var tls: SimulatedTLS?
    /// Whether the pool finds its server by a name.
    var isByName = false
    /// The server that takes pushes.
    private var primary = 0
    private var hasMoved = false

    private static let refusals = [
        "LOADING Redis is loading the dataset in memory", "BUSY Redis is busy running a script",
        "TRYAGAIN Multiple keys request during rehashing of slot", "CLUSTERDOWN The cluster is down",
        "MASTERDOWN Link with MASTER is down", "READONLY You can't write against a read only replica.",
        "NOREPLICAS Not enough good replicas to write.", "OOM command not allowed when used memory > 'maxmemory'.",
        "MISCONF Redis is configured to save RDB snapshots", "NOAUTH Authentication required.",
        "WRONGTYPE Operation against a key holding the wrong kind of value", "CROSSSLOT Keys in request",
        "NOSCRIPT No matching script.", "ERR unknown command", "MOVED 3999 ?:6379",
    ]

    init(_ world: World, _ network: SimulatedNetwork) {
        self.world = world
        self.network = network
    }

    private var server: SimulatedRedis { world.oneIn(4) ? world.random.pick(servers) : servers[primary] }

    private func briefly(until end: Instant, _ body: @escaping () -> Void) {
        world.at(min(world.now + world.milliseconds(1...2500), end), body)
    }

    /// One fault, which has ended by `end`.
    func strike(until end: Instant) {
        let server = server
        if let tls, world.oneIn(3) { return strikeTLS(server, tls, until: end) }
        switch world.below(16) {
        case 0:
            server.kill()
            briefly(until: end) { server.restart() }
        case 1:
            server.stall()
            briefly(until: end) { server.resume() }
        case 2, 3: refuse(server, until: end)
        case 4:
            world.note("\(server.name) forgets its scripts")
            server.forgetScripts()
        case 5, 6, 7:
            if let session = server.openSessions.last { session.link.reset() }
        case 8: server.openSessions.last?.link.loseEverything()
        case 9:
            let latency = network.latency
            network.latency = 20_000 + world.below(400_000)
            world.note("the network is slow")
            briefly(until: end) { [network] in network.latency = latency }
        case 10: failOver()
        case 11: breakNames(until: end)
        case 12: moveQueue(until: end)
        case 13: denyRight(server, until: end)
        case 14: beRude(server, until: end)
        default:
            world.note("\(server.name) does not answer connects")
            server.dropsConnects = true
            briefly(until: end) { server.dropsConnects = false }
        }
    }

    private func refuse(_ server: SimulatedRedis, until end: Instant) {
        let refusal = SimulatedRedis.Refusal(
            reply: world.random.pick(Faults.refusals), share: world.random.pick([1, 1, 2, 5]))
        world.note("\(server.name) answers \(refusal.reply)")
        server.refusals.append(refusal)
        briefly(until: end) { server.refusals.removeAll() }
    }

    private func denyRight(_ server: SimulatedRedis, until end: Instant) {
        let commands: Set<String> = world.random.pick([["EVAL", "EVALSHA"], ["WAIT"], ["LLEN"], ["LPUSH"], ["PING"]])
        world.note("\(server.name) denies \(commands.sorted())")
        server.refusals.append(SimulatedRedis.Refusal(reply: "NOPERM this user has no permissions", commands: commands))
        briefly(until: end) { server.refusals.removeAll() }
    }

    private func beRude(_ server: SimulatedRedis, until end: Instant) {
        switch world.below(4) {
        case 0:
            server.isFull = true
            for session in server.openSessions where world.oneIn(2) { session.link.reset() }
        case 1: server.hangsUpOnName = true  // For good, as a proxy would.
        case 2: server.babbles = true
        default: server.replicas = 0
        }
        world.note("\(server.name) is rude")
        briefly(until: end) { [world] in
            server.isFull = false
            server.babbles = false
            server.replicas = 2
            if world.oneIn(2) { server.hangsUpOnName = false }
        }
    }

    private func strikeTLS(_ server: SimulatedRedis, _ tls: SimulatedTLS, until end: Instant) {
        switch world.below(5) {
        case 0:
            world.note("\(server.name) does not answer in handshakes")
            server.stallsHandshakes = true
            if let session = server.openSessions.last { session.link.reset() }
            briefly(until: end) { server.goOnWithHandshakes() }
        case 1:
            world.note("\(server.name) ends connections in the middle of a reply")
            server.endsDuringReplies = true
            briefly(until: end) { server.endsDuringReplies = false }
        case 2:
            server.kill()
            server.restart()
            world.note("\(server.name) has a certificate of a stranger")
            server.exchangeCertificate()
            briefly(until: end) {
                server.kill()
                server.restart()
            }
        case 3:
            world.note("\(server.name) spoils records")
            server.spoils = true
            briefly(until: end) { server.spoils = false }
        default:
            world.note("the files of TLS are read again")
            network.tlsContext = tls.clientContext()
        }
    }

    /// The replica takes over, with the tail or without.
    private func failOver() {
        guard isByName, !hasMoved else { return }
        let (old, new) = (servers[primary], servers[1 - primary])
        if world.oneIn(2) { new.synchronise(from: old) }
        primary = 1 - primary
        new.promote()
        if !new.isUp { new.restart() }
        network.names["redis.example"] = [primary]
        // The old one may not know for a while.
        if world.oneIn(3) {
            world.after(world.milliseconds(1...300)) { [self] in if servers[primary] !== old { old.demote() } }
        } else {
            old.demote()
        }
        if world.oneIn(3) { old.kill() }
    }

    private func breakNames(until end: Instant) {
        world.note("names are broken")
        if world.oneIn(2) {
            network.lookUpsHangUntil = min(world.now + world.milliseconds(10...3000), end)
        } else {
            let found = network.names["redis.example"]
            network.names["redis.example"] = world.oneIn(2) ? [] : [1 - primary, primary]
            briefly(until: end) { [self] in
                if network.names["redis.example"] != [primary] {
                    network.names["redis.example"] = found.map { _ in [primary] }
                }
            }
        }
    }

    /// The queue's slot moves to the third server: first ASK, then MOVED; and perhaps back.
    private func moveQueue(until end: Instant) {
        guard !hasMoved else { return }
        hasMoved = true
        let (from, to) = (servers[primary], servers[2])
        world.note("the queue moves from \(from.name) to \(to.name)")
        to.takeOver(from: from)
        to.isImporting = true
        from.askedAt = to
        briefly(until: end) { [self] in
            world.note("the queue has moved to \(to.name)")
            from.askedAt = nil
            from.movedTo = to
            to.isImporting = false
            if world.oneIn(3) { strikeNewOwner(to) }
            if world.oneIn(3) {
                world.after(world.milliseconds(1...400)) { [world] in
                    world.note("the queue moves back to \(from.name)")
                    from.takeOver(from: to)
                    from.movedTo = nil
                    to.movedTo = from
                }
            }
        }
    }

    /// The new owner of the queue hangs and dies while pushes are being sent on to it.
    private func strikeNewOwner(_ owner: SimulatedRedis) {
        if world.oneIn(2) { owner.kill() } else { owner.stall() }
        for _ in 0..<3 { world.after(world.milliseconds(1...200)) { [self] in push() } }
        world.after(world.milliseconds(1...400)) { [world] in
            owner.kill()
            world.after(world.milliseconds(1...500)) { owner.restart() }
        }
    }

    // MARK: Between the faults

    /// Replication and workers.
    func keepHouse() {
        if world.oneIn(2) { servers[1 - primary].synchronise(from: servers[primary]) }
        if world.oneIn(2) { drain() }
    }

    /// Workers take jobs.
    func drain() {
        for server in servers { server.length = max(0, server.length - world.below(12)) }
    }

    /// Everything is well again.
    func calm() {
        world.note("calm")
        for server in servers {
            if !server.isUp { server.restart() }
            server.refusals.removeAll()
            server.isFull = false
            server.babbles = false
            server.replicas = 2
            server.dropsConnects = false
            server.endsDuringReplies = false
            server.spoils = false
            server.goOnWithHandshakes()
            if server.isStalled { server.resume() }
        }
        network.latency = min(network.latency, 5000)
        network.names["redis.example"] = [primary]
        network.lookUpsHangUntil = world.now
    }
}
