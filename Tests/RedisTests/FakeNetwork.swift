import EventLoop
import Glibc
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// A connection without a socket: a test decides what it takes, what the kernel has of it, and what comes.
final class FakeTransport: Transport {
    let token: Token
    /// The address that was dialled, as text.
    let target: String
    var establishment = Establishment.established
    /// Bytes that it takes before it would block, and whether it has broken for sending.
    var room = Int.max
    var isBroken = false
    /// Bytes that it has taken, and how many of those it keeps back from the kernel.
    private(set) var sent: [UInt8] = []
    var heldBack = 0
    private var incoming: [[UInt8]] = []
    private(set) var isClosed = false
    private(set) var wantsRoom = true
    /// How often it says that it has input where it can give none.
    var claims = 0

    init(_ token: Token, _ target: String) { (self.token, self.target) = (token, target) }

    func establish() -> Establishment { establishment }

    func send(_ bytes: Span<UInt8>) -> Transfer {
        if isBroken { return .failed(EPIPE) }
        if bytes.isEmpty { heldBack = 0 }
        let count = min(room, bytes.count)
        guard count > 0 else { return .wouldBlock }
        for index in 0..<count { sent.append(bytes[index]) }
        room -= count
        return .bytes(count)
    }

    var delivered: UInt64 { UInt64(sent.count - heldBack) }

    func receive(into buffer: inout [UInt8], after filled: Int) -> Transfer {
        guard !incoming.isEmpty else { return isBroken ? .closed : .wouldBlock }
        let chunk = incoming.removeFirst()
        for (index, byte) in chunk.enumerated() { buffer[filled + index] = byte }
        return .bytes(chunk.count)
    }

    var holdsOutput: Bool { heldBack > 0 }

    var failure: ConnectionFailure? { nil }
    var isConnected: Bool { false }
    var hasBufferedInput: Bool {
        guard incoming.isEmpty else { return true }
        guard claims > 0 else { return false }
        claims -= 1
        return true
    }

    func watch(wantsRoom: Bool) throws(SystemError) { self.wantsRoom = wantsRoom }
    func close() { isClosed = true }

    func arrive(_ text: String) { incoming.append(utf8(text)) }
    /// How often a text was sent.
    func count(of text: String) -> Int { sent.text.ranges(of: text).count }
}

/// A network whose time and connections a test makes.
final class FakeNetwork: Network {
    var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var connections: [FakeTransport] = []
    /// Whether the next call fails at once.
    var isFailing: () -> Bool = { false }
    private var timers: [Instant] = []

    func schedule(_ deadline: Instant, _ token: Token) { timers.append(deadline) }

    /// Whether a timer is due, once for each.
    func takeDue() -> Bool {
        guard let index = timers.firstIndex(where: { $0 <= now }) else { return false }
        timers.remove(at: index)
        return true
    }

    func connect(to address: SocketAddress, as token: Token, tls: TLSServer?) throws(SystemError) -> any Transport {
        if isFailing() { throw SystemError("connect", ECONNREFUSED) }
        let transport = FakeTransport(token, "\(address)")
        connections.append(transport)
        return transport
    }

    /// Look-ups whose results somebody waits for.
    var lookUps: [FakeLookUp] { begun.compactMap(\.lookUp) }
    private struct Begun { weak var lookUp: FakeLookUp? }
    private var begun: [Begun] = []

    func lookUp(host: String, port: UInt16, as token: Token) throws(SystemError) -> any LookUp {
        if isFailing() { throw SystemError("pthread_create", EAGAIN) }
        let lookUp = FakeLookUp(token, port)
        begun.removeAll { $0.lookUp == nil }
        begun.append(Begun(lookUp: lookUp))
        return lookUp
    }
}

/// A look-up that ends when a test says so.
final class FakeLookUp: LookUp {
    let token: Token
    let port: UInt16
    var found: [SocketAddress]?

    init(_ token: Token, _ port: UInt16) { (self.token, self.port) = (token, port) }

    func finish() -> [SocketAddress]? { found }
}

/// A pool on a network that is not there.
final class FakeBench {
    let network = FakeNetwork()
    let pool: Pool
    private(set) var results: [UInt64: PushResult] = [:]
    private(set) var events: [DeliveryEvent] = []
    private var nextWaiter: UInt64 = 0

    init(_ url: String = "redis://127.0.0.1:6379", _ change: (inout DeliveryPolicy) -> Void = { _ in }) throws {
        var policy = DeliveryPolicy(queue: "enhancement:queue")
        change(&policy)
        pool = Pool(to: try Address(url), policy: policy, over: network, seed: 1)
    }

    func turn() {
        pool.flush()
        pool.takeCompletions { completion in
            if results.updateValue(completion.result, forKey: completion.waiter) != nil {
                Issue.record("push \(completion.waiter) completed twice")
            }
        }
        events += pool.takeEvents()
    }

    func event(_ transport: FakeTransport, _ readiness: Readiness = .readable) {
        pool.event(transport.token, readiness)
        turn()
    }

    func reply(_ text: String, on transport: FakeTransport) {
        transport.arrive(text)
        event(transport)
    }

    /// Lets time pass; each millisecond is a turn.
    func pass(milliseconds: Int) {
        for _ in 0..<milliseconds {
            network.now = network.now + .milliseconds(1)
            for _ in 0..<8 { pool.timerFired() }
            turn()
        }
    }

    /// The connection that is being made, once it is there. Those that `connect` has made do not count.
    func dialled() throws -> FakeTransport {
        for _ in 0..<2000 where network.connections.last.map(isOver) ?? true { pass(milliseconds: 1) }
        return try #require(network.connections.last)
    }

    private var greeted: Set<Token> = []
    private func isOver(_ transport: FakeTransport) -> Bool { transport.isClosed || greeted.contains(transport.token) }

    /// Makes and greets a connection.
    @discardableResult
    func connect() throws -> FakeTransport {
        let transport = try dialled()
        greet(transport)
        return transport
    }

    func greet(_ transport: FakeTransport) {
        greeted.insert(transport.token)
        event(transport, .writable)
        reply(transport.sent.text.contains("SETNAME") ? "+OK\r\n+PONG\r\n" : "+PONG\r\n", on: transport)
    }

    @discardableResult
    func push(_ job: String, key: IdempotencyKey? = nil, endsTurn: Bool = true) -> UInt64 {
        nextWaiter += 1
        let refusal = pool.push(utf8(job).span, key: key, waiter: nextWaiter)
        if let refusal { Issue.record("refused: \(refusal)") }
        if endsTurn { turn() }
        return nextWaiter
    }
}

extension FakeBench {
    /// A push that may be refused; whom its result is for, where it is not.
    func tryPush(_ job: String, key: IdempotencyKey?) -> UInt64? {
        nextWaiter += 1
        return pool.push(utf8(job).span, key: key, waiter: nextWaiter) == nil ? nextWaiter : nil
    }
}

/// The address of a port, as `FakeTransport.target` has it.
func target(_ port: UInt16) -> String {
    "\(SocketAddress.resolve(host: "127.0.0.1", port: port, isNumeric: true)[0])"
}
