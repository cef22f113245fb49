import Delivery
import EventLoop
import Glibc
import Redis
import System

/// One TCP connection, with the buffers of both kernels and the packets on their way.
final class Link: Transport {
    private enum State: Equatable {
        case connecting
        case established
        /// connect(2), or a later call, fails with this.
        case failed(Int32)
        case closed
    }

    let token: Token
    let server: SimulatedRedis
    private unowned let network: SimulatedNetwork
    private var world: World { network.world }
    private var state = State.connecting
    private(set) var session: SimulatedSession?

    // The pool's end.
    private var input: [UInt8] = []
    private var inputEnded = false
    /// Bytes above the socket, as TLS would have them: received and not given, taken and not passed on.
    private var heldInput: [UInt8] = []
    private var heldOutput: [UInt8] = []
    private(set) var delivered: UInt64 = 0
    private var wantsRoom = true
    private var lastSend = Instant(nanoseconds: 0)
    /// Bytes in the pool's kernel that the server has not read.
    private var unread = 0
    private let capacity: Int
    /// Packets vanish in both directions, and nobody is told.
    private(set) var isHalfOpen = false
    /// No packet overtakes another.
    private var lastArrival = (server: Instant(nanoseconds: 0), pool: Instant(nanoseconds: 0))

    /// - Parameter leastRoom: bytes that the kernels hold at least. Each so many of a handshake cost a way there.
    init(_ network: SimulatedNetwork, server: SimulatedRedis, token: Token, leastRoom: Int) {
        self.network = network
        self.server = server
        self.token = token
        capacity = network.world.oneIn(3) ? leastRoom + network.world.below(2000) : 100_000
    }

    var isDead: Bool { state == .closed && (session == nil || session!.isClosed) }

    // MARK: Connecting

    func connect() {
        if server.dropsConnects { return }  // The packet is lost: no answer ever.
        let isRefused = !server.isUp
        world.after(delay()) { [self] in
            guard state == .connecting else { return }
            if isRefused || !server.isUp {
                state = .failed(ECONNREFUSED)
                network.losses.append(world.now)
            } else {
                state = .established
                session = SimulatedSession(server, self)
                server.accept(session!)
            }
            network.wake()
        }
    }

    func establish() -> Establishment {
        switch state {
        case .connecting: .underWay(wantsRoom: true)
        case .established: .established
        case .failed(let code): .failed(code)
        case .closed: .failed(EBADF)
        }
    }

    private func delay() -> Nanoseconds { world.microseconds(1...network.latency) }

    // MARK: The pool's end

    /// What the loop would say about it.
    var readiness: Readiness {
        var readiness: Readiness = []
        switch state {
        case .connecting, .closed: break
        case .failed: readiness = [.readable, .writable, .closed]
        case .established:
            if !input.isEmpty || inputEnded { readiness.insert(.readable) }
            if wantsRoom && unread < capacity { readiness.insert(.writable) }
        }
        return readiness
    }

    func send(_ bytes: Span<UInt8>) -> Transfer {
        switch state {
        case .failed(let code): return .failed(code)
        case .closed, .connecting: return .failed(ENOTCONN)
        case .established: break
        }
        // Also between two sends of one turn, when the first has passed something on.
        if world.oneIn(lastSend == world.now ? 3 : 200) { return breakOff() }
        lastSend = world.now
        var taken: [UInt8] = []
        for index in bytes.indices { taken.append(bytes[index]) }
        guard network.holdsBytes else {
            let count = pass(taken[...])
            return count == 0 ? .wouldBlock : .bytes(count)
        }
        // A record is taken whole, and passed on as far as there is room.
        if !heldOutput.isEmpty { heldOutput.removeFirst(pass(heldOutput[...])) }
        guard heldOutput.isEmpty, !taken.isEmpty else { return .wouldBlock }
        let record = Array(taken.prefix(1 + world.below(500)))
        heldOutput = Array(record.dropFirst(pass(record[...])))
        return .bytes(record.count)
    }

    /// The connection is found to be gone. What was sent before still arrives, and its replies do not.
    private func breakOff() -> Transfer {
        world.note("slot \(token.slot) breaks over sending")
        state = .failed(ECONNRESET)
        network.losses.append(world.now)
        travel(to: \.server) { $0.session?.close() }
        return .failed(ECONNRESET)
    }

    /// Gives the kernel what it takes. Returns how much that was.
    private func pass(_ bytes: ArraySlice<UInt8>) -> Int {
        var count = min(capacity - unread, bytes.count)
        if count > 1 && world.oneIn(4) { count = 1 + world.below(count) }
        guard count > 0 else { return 0 }
        world.note("slot \(token.slot) sends \(count) of \(bytes.count) bytes")
        let packet = Array(bytes.prefix(count))
        unread += count
        delivered += UInt64(count)
        travel(to: \.server) { link in
            guard let session = link.session, !session.isClosed else { return }
            session.receive(packet)
        }
        if isHalfOpen { giveUpLater() }
        return count
    }

    var holdsOutput: Bool { !heldOutput.isEmpty }
    var failure: ConnectionFailure? { nil }
    var isConnected: Bool { false }
    var hasBufferedInput: Bool { !heldInput.isEmpty }

    func receive(into buffer: inout [UInt8], after filled: Int) -> Transfer {
        if case .failed(let code) = state {
            if input.isEmpty { return .failed(code) }
        } else if state != .established {
            return .failed(ENOTCONN)
        }
        if network.holdsBytes {
            heldInput += input
            input.removeAll()
        } else {
            heldInput = input
            input.removeAll()
        }
        guard !heldInput.isEmpty else {
            if case .failed(let code) = state { return .failed(code) }
            return inputEnded ? .closed : .wouldBlock
        }
        var count = min(buffer.count - filled, heldInput.count)
        if world.oneIn(4) { count = 1 + world.below(count) }
        for index in 0..<count { buffer[filled + index] = heldInput[index] }
        heldInput.removeFirst(count)
        if !network.holdsBytes {
            input = heldInput
            heldInput.removeAll()
        }
        return .bytes(count)
    }

    func watch(wantsRoom: Bool) throws(SystemError) {
        self.wantsRoom = wantsRoom
        if wantsRoom { network.wake() }
    }

    func close() {
        guard state != .closed else { return }
        world.note("slot \(token.slot) to \(server.name) is closed")
        network.losses.append(world.now)
        if session == nil { server.oracle.connectFailed() }
        state = .closed
        travel(to: \.server) { $0.session?.close() }
    }

    // MARK: The server's end

    /// The server has read: there is room again.
    func wasRead(_ count: Int) {
        unread -= count
        if wantsRoom { network.wake() }
    }

    func reply(_ bytes: [UInt8]) {
        let cut = bytes.count > 1 && world.oneIn(5) ? 1 + world.below(bytes.count - 1) : bytes.count
        for part in [bytes[..<cut], bytes[cut...]] where !part.isEmpty {
            travel(to: \.pool) { link in
                guard link.state == .established else { return }
                link.input += part
                link.network.wake()
            }
        }
    }

    /// The server has closed: what it sent before still arrives.
    func end() {
        travel(to: \.pool) { link in
            guard link.state == .established || link.state == .connecting else { return }
            link.inputEnded = true
            link.network.wake()
        }
    }

    // MARK: Faults

    /// Both ends learn at once that the connection is gone. What is on its way is lost, and so is what the pool's kernel had
    /// received, half of the time.
    func reset() {
        session?.close()
        guard state == .established else { return }
        world.note("reset of slot \(token.slot)")
        if world.oneIn(2) { input.removeAll() }
        state = .failed(ECONNRESET)
        network.losses.append(world.now)
        network.wake()
    }

    func loseEverything() {
        guard state == .established, !isHalfOpen else { return }
        world.note("slot \(token.slot) is half open")
        isHalfOpen = true
        if unread > 0 { giveUpLater() }
    }

    /// TCP_USER_TIMEOUT: data without acknowledgement for 5 s.
    private func giveUpLater() {
        world.after(.seconds(5)) { [self] in
            guard isHalfOpen, state == .established else { return }
            state = .failed(ETIMEDOUT)
            network.losses.append(world.now)
            network.wake()
        }
    }

    private func travel(
        to end: WritableKeyPath<(server: Instant, pool: Instant), Instant>, _ arrive: @escaping (Link) -> Void
    ) {
        let time = max(world.now + delay(), lastArrival[keyPath: end])
        lastArrival[keyPath: end] = time
        world.at(time) { [self] in
            if !isHalfOpen { arrive(self) }
        }
    }
}
