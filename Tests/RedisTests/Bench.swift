import Bytes
import EventLoop
import RESP
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

struct TookTooLong: Error {}

/// A pool and the loop that drives it, turn by turn, with a scripted Redis at its other end.
final class Bench {
    let loop: EventLoop
    let redis: ScriptedRedis
    /// Other nodes of its cluster.
    var nodes: [ScriptedRedis] = []
    let pool: Pool
    /// Results in the order in which they came.
    private(set) var results: [(waiter: UInt64, result: PushResult)] = []
    private var resultOf: [UInt64: PushResult] = [:]
    private(set) var events: [DeliveryEvent] = []
    /// What is done when a result comes.
    var onCompletion: ((Bench) -> Void)?
    private var nextWaiter: UInt64 = 1
    private let maxConnections: Int
    /// Whether the right to WAIT is checked on each new connection.
    private let checksWait: Bool

    /// - Parameters:
    ///   - url: where to connect to, where that is not simply where the scripted Redis listens.
    ///   - change: changes to settings that give a test time, and do not wait long before they try again.
    ///   - lookUp: finds a host's addresses.
    init(
        _ redis: ScriptedRedis? = nil, url: String? = nil, _ change: (inout DeliveryPolicy) -> Void = { _ in },
        lookUp: @escaping Resolver.LookUp = Resolver.system
    ) throws {
        self.redis = try redis ?? ScriptedRedis()
        var policy = DeliveryPolicy(queue: "enhancement:queue")
        policy.retryDelay = .milliseconds(10)
        change(&policy)
        maxConnections = policy.maxConnections
        checksWait = policy.waitReplicas > 0
        loop = try EventLoop()
        pool = Pool(
            to: try Address(url ?? self.redis.url), policy: policy, over: LoopNetwork(loop, lookUp: lookUp))
    }

    // MARK: Driving

    /// Takes one turn, as the responder does.
    func turn(within delay: Nanoseconds = .milliseconds(1)) {
        let count = loop.wait(until: .now + delay)
        for index in 0..<count {
            let (token, readiness) = loop.event(index)
            if token.owner == .resolver { pool.lookUpEvent(token) } else { pool.event(token, readiness) }
        }
        while loop.due() != nil { pool.timerFired() }
        endTurn()
    }

    func endTurn() {
        pool.flush()
        pool.takeCompletions { completion in
            let before = resultOf.updateValue(completion.result, forKey: completion.waiter)
            if before != nil { Issue.record("push \(completion.waiter) completed twice") }
            results.append((completion.waiter, completion.result))
            onCompletion?(self)
        }
        events += pool.takeEvents()
        let counts = pool.connectionCounts
        if counts.ready + counts.busy + counts.connecting > maxConnections {
            Issue.record("too many connections: \(counts)")
        }
    }

    /// Takes turns until a condition is met.
    func run(
        seconds: Double = 10, until condition: () throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let limit = Instant.now + .seconds(seconds)
        while try !condition() {
            guard Instant.now < limit else {
                Issue.record(
                    "waited for \(seconds) s; results \(results), events \(events)", sourceLocation: sourceLocation)
                throw TookTooLong()
            }
            try redis.poll()
            for node in nodes { try node.poll() }
            turn()
        }
    }

    /// Takes turns for a while: what must not happen has the time to.
    func linger(milliseconds: UInt64 = 60) throws {
        let end = Instant.now + .milliseconds(milliseconds)
        try run { Instant.now >= end }
    }

    // MARK: Connections

    /// The next connection, accepted, to this Redis or to another node.
    func accept(at node: ScriptedRedis? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws -> Session {
        var session: Session?
        try run(
            until: {
                session = (node ?? redis).takeSession()
                return session != nil
            }, sourceLocation: sourceLocation)
        return try #require(session)
    }

    /// The next connection, greeted and ready.
    @discardableResult
    func connect(to node: ScriptedRedis? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws -> Session {
        let session = try accept(at: node, sourceLocation: sourceLocation)
        let known = connectedCount
        while try commands(1, of: session, sourceLocation: sourceLocation)[0] != ["PING"] { session.send("+OK\r\n") }
        session.send("+PONG\r\n")
        if checksWait {
            #expect(try commands(1, of: session, sourceLocation: sourceLocation) == [["WAIT", "0", "0"]])
            session.send(":0\r\n")
        }
        try run(until: { connectedCount > known }, sourceLocation: sourceLocation)
        return session
    }

    private var connectedCount: Int { events.count { if case .connected = $0 { true } else { false } } }

    /// The next commands on a connection.
    func commands(
        _ count: Int, of session: Session, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [[String]] {
        try run(until: { session.commandCount >= count }, sourceLocation: sourceLocation)
        return (0..<count).compactMap { _ in session.takeCommand() }
    }

    // MARK: Pushes

    /// Pushes a job that must be taken, and returns whom its result is for.
    @discardableResult
    func push(_ job: String = "job", key: IdempotencyKey? = nil, sourceLocation: SourceLocation = #_sourceLocation)
        -> UInt64
    {
        let refusal = tryPush(job, key: key)
        if let refusal { Issue.record("the push was refused: \(refusal)", sourceLocation: sourceLocation) }
        return lastWaiter
    }

    func tryPush(_ job: String = "job", key: IdempotencyKey? = nil) -> PushRefusal? {
        defer { nextWaiter += 1 }
        return pool.push(utf8(job).span, key: key, waiter: nextWaiter)
    }

    /// A push, and the command that Redis gets for it.
    func pushed(
        _ job: String = "job", key: IdempotencyKey? = nil, on session: Session,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> UInt64 {
        let waiter = push(job, key: key, sourceLocation: sourceLocation)
        let command = try commands(1, of: session, sourceLocation: sourceLocation)[0]
        #expect(command.contains(job), sourceLocation: sourceLocation)
        return waiter
    }

    var lastWaiter: UInt64 { nextWaiter - 1 }

    func result(of waiter: UInt64) -> PushResult? { resultOf[waiter] }

    /// A push's result, once it has one.
    func await(_ waiter: UInt64, sourceLocation: SourceLocation = #_sourceLocation) throws -> PushResult {
        try run(until: { result(of: waiter) != nil }, sourceLocation: sourceLocation)
        return try #require(result(of: waiter))
    }

    // MARK: Events

    var lossReasons: [String] {
        events.compactMap { if case .lost(let cause, _, _, _) = $0 { "\(cause)" } else { nil } }
    }
    var dialFailures: [String] {
        events.compactMap { if case .dialFailed(let failure) = $0 { "\(failure.cause)" } else { nil } }
    }
    /// The nodes that others have named.
    var redirections: [String] {
        events.compactMap { if case .redirected(_, let node) = $0 { "\(node)" } else { nil } }
    }
    /// Changes of the breaker: true where it opened.
    var breakerChanges: [Bool] {
        events.compactMap { event in
            switch event {
            case .breakerOpened: true
            case .breakerClosed: false
            default: nil
            }
        }
    }
}

/// The idempotency key of a delivery.
func named(_ name: String) -> IdempotencyKey {
    IdempotencyKey(key: utf8("{enhancement:queue}:seen:acme:\(name)"), value: utf8("value of \(name)"))
}

/// A RESP command in bytes.
func resp(_ arguments: String...) -> [UInt8] { resp(arguments) }

func resp(_ arguments: [String]) -> [UInt8] {
    utf8("*\(arguments.count)\r\n" + arguments.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined())
}
