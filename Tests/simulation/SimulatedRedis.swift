import RESP
import System
import TestSupport

/// A Redis with a real list and real keys, in whatever state a fault puts it.
final class SimulatedRedis {
    /// What it answers instead of executing a command.
    struct Refusal {
        let reply: String
        /// Commands that are concerned; empty: every push.
        var commands: Set<String> = []
        /// One command in so many.
        var share = 1
    }

    let name: String
    let host: String
    let address: SocketAddress
    private let world: World
    unowned let oracle: Oracle
    private var sessions: [SimulatedSession] = []

    // What it holds.
    private(set) var list: [Int] = []
    /// Jobs that workers have not taken.
    var length = 0
    private(set) var keys: [String: [UInt8]] = [:]
    private var knowsScript = false
    /// What a replica had at the time of its last synchronisation.
    private var copy: (list: [Int], length: Int, keys: [String: [UInt8]]) = ([], 0, [:])

    // How it is.
    private(set) var isUp = true
    var dropsConnects = false
    var isStalled = false
    var isReplica = false
    /// Replicas that acknowledge.
    var replicas = 2
    var refusals: [Refusal] = []
    var isFull = false
    /// A proxy that closes the connection on CLIENT.
    var hangsUpOnName = false
    /// Errors in a script come as before Redis 7.0.
    let isOld: Bool
    /// Where the queue is instead: MOVED, or ASK.
    var movedTo: SimulatedRedis?
    var askedAt: SimulatedRedis?
    /// Takes pushes after ASKING only.
    var isImporting = false
    /// Sends something that nobody asked for.
    var babbles = false
    let repliesWithoutHost: Bool
    /// What it speaks TLS with; nil: it does not.
    var tls: SimulatedTLS? { didSet { tlsContext = tls?.serverContext(world) } }
    private(set) var tlsContext: MemoryTLSContext?
    private var isStranger = false
    /// Answers nothing before a handshake is done.
    var stallsHandshakes = false
    /// Ends a connection in order in the middle of a reply.
    var endsDuringReplies = false
    /// Spoils what it sends.
    var spoils = false

    init(_ world: World, name: String, host: String, oracle: Oracle) {
        self.world = world
        self.name = name
        self.host = host
        self.oracle = oracle
        address = SocketAddress.resolve(host: host, port: 6379, isNumeric: true)[0]
        isOld = world.oneIn(3)
        repliesWithoutHost = world.oneIn(4)
    }

    // MARK: Connections

    func accept(_ session: SimulatedSession) {
        sessions.removeAll { $0.isClosed }
        sessions.append(session)
        guard isFull else { return }
        // Before a handshake this is no record.
        session.reply("-ERR max number of clients reached\r\n")
        session.hangUp()
    }

    var openSessions: [SimulatedSession] { sessions.filter { !$0.isClosed } }

    func kill() {
        world.note("\(name) dies")
        isUp = false
        for session in openSessions { session.link.reset() }
        sessions.removeAll()
    }

    func restart() {
        world.note("\(name) is up")
        isUp = true
        isStalled = false
        knowsScript = false
        tlsContext = tls?.serverContext(world)
        isStranger = false
    }

    /// Its certificate is one that the pool does not trust; until it restarts.
    func exchangeCertificate() {
        isStranger = true
        tlsContext = tls?.untrustedContext()
    }

    func goOnWithHandshakes() {
        stallsHandshakes = false
        for session in openSessions { session.process() }
    }

    func stall() {
        world.note("\(name) stalls")
        isStalled = true
    }

    func resume() {
        world.note("\(name) goes on")
        isStalled = false
        for session in openSessions { session.process() }
    }

    func forgetScripts() { knowsScript = false }

    // MARK: Replication

    /// The replica has everything that the primary has.
    func synchronise(from primary: SimulatedRedis) { copy = (primary.list, primary.length, primary.keys) }

    /// Becomes the primary with what it has.
    func promote() {
        world.note("\(name) is promoted with \(copy.list.count) jobs")
        (list, length, keys) = copy
        isReplica = false
    }

    func demote() {
        world.note("\(name) is a replica")
        isReplica = true
    }

    /// The queue's slot moves here, with everything in it.
    func takeOver(from other: SimulatedRedis) {
        list += other.list
        length += other.length
        keys.merge(other.keys) { own, _ in own }
        (other.list, other.length, other.keys) = ([], 0, [:])
    }

    // MARK: Commands

    func execute(_ arguments: [[UInt8]], for session: SimulatedSession) {
        let command = String(decoding: arguments[0], as: UTF8.self)
        let isAsking = session.takeAsking()
        if isStranger { oracle.fail("\(name) gets \(command), and is whom nobody trusts") }
        if babbles && world.oneIn(10) {
            session.reply(world.random.pick(["$-1\r\n", "garbage\r\n", "*1\r\n:1\r\n"]))
        }
        switch command {
        case "CLIENT" where hangsUpOnName:
            session.hangUp()
        case "CLIENT", "AUTH", "SELECT": session.reply("+OK\r\n")
        case "PING": session.reply(refusal(of: command) ?? "+PONG\r\n")
        case "ASKING":
            session.isAsking = true
            session.reply("+OK\r\n")
        case "WAIT": session.reply(refusal(of: command) ?? wait(arguments, for: session))
        case "LLEN": session.reply(refusal(of: command) ?? redirection(isAsking) ?? ":\(length)\r\n")
        case "LPUSH":
            let job = Job.number(of: arguments[2])
            session.saw(job)
            if let refusal = refusal(of: command) ?? redirection(isAsking) {
                return session.refuse(job, refusal)
            }
            push(job, for: session)
            session.reply(":\(length)\r\n")
        case "EVALSHA", "EVAL":
            let job = Job.number(of: arguments[5])
            session.saw(job)
            if let refusal = refusal(of: command) ?? redirection(isAsking) {
                return session.refuse(job, refusal)
            }
            if command == "EVALSHA" && !knowsScript {
                return session.reply("-NOSCRIPT No matching script. Please use EVAL.\r\n", isError: true)
            }
            knowsScript = true
            let key = String(decoding: arguments[4], as: UTF8.self)
            if let value = keys[key] {
                session.unconfirmed.append(job)
                return session.reply(Array("$\(value.count)\r\n".utf8) + value + Array("\r\n".utf8))
            }
            keys[key] = arguments[6]
            push(job, for: session)
            session.reply(":\(length)\r\n")
        default: session.reply("-ERR unknown command\r\n")
        }
    }

    private func push(_ job: Int, for session: SimulatedSession) {
        list.append(job)
        length += 1
        session.unconfirmed.append(job)
        oracle.executed(job, at: self)
    }

    private func wait(_ arguments: [[UInt8]], for session: SimulatedSession) -> String {
        let wanted = Job.number(of: arguments[1])
        if replicas >= wanted { oracle.confirmed(session.unconfirmed) }
        session.unconfirmed.removeAll()
        return ":\(replicas)\r\n"
    }

    func chance(_ count: Int) -> Bool { world.oneIn(count) }

    private func refusal(of command: String) -> String? {
        let isPush = ["LPUSH", "EVAL", "EVALSHA"].contains(command)
        if isPush && isReplica { return scripted("READONLY You can't write against a read only replica.", command) }
        for refusal in refusals {
            guard refusal.commands.isEmpty ? isPush : refusal.commands.contains(command) else { continue }
            if refusal.share == 1 || world.oneIn(refusal.share) { return scripted(refusal.reply, command) }
        }
        return nil
    }

    private func scripted(_ error: String, _ command: String) -> String {
        let isInside = isOld && command.hasPrefix("EVAL") && !error.hasPrefix("NOPERM") && !error.hasPrefix("LOADING")
        return isInside
            ? "-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -\(error)\r\n"
            : "-\(error)\r\n"
    }

    private func redirection(_ isAsking: Bool) -> String? {
        if let movedTo { return "-MOVED 3999 \(movedTo.host):6379\r\n" }
        if let askedAt { return "-ASK 3999 \(askedAt.host):6379\r\n" }
        if isImporting && !isAsking { return "-TRYAGAIN Multiple keys request during rehashing of slot\r\n" }
        return nil
    }
}
