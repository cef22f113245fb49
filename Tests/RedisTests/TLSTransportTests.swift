import Bytes
import Delivery
import EventLoop
import Glibc
import System
import TestSupport
import Testing

@testable import Redis

/// TLS around a socket that takes and gives what the test says.
struct TLSTransportTests {
    private let server: MemoryTLSServer
    private let socket = ScriptedSocket()
    private let transport: TLSTransport<ScriptedSocket>

    init() throws { try self.init(requiresCertificate: false) }

    private init(requiresCertificate: Bool) throws {
        let certificate = ThrowawayCertificate()
        server = MemoryTLSServer(MemoryTLSContext(certificate, clientsOf: requiresCertificate ? certificate : nil))
        let context = try TLSContext(TLSFiles(authorities: certificate.path))
        transport = try TLSTransport(socket, context, to: TLSServer(name: "redis.test", isAddress: false))
    }

    private func establish() throws {
        for _ in 0..<1000 {
            if transport.establish() == .established { return }
            server.feed(socket.takeSent())
            socket.input += server.takeOutput()
        }
        try #require(Bool(false), "no handshake")
    }

    /// Whatever the server has sent, decrypted.
    private func receive(room: Int = 1000) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: room)
        guard case .bytes(let count) = transport.receive(into: &buffer, after: 0) else { return [] }
        return Array(buffer[..<count])
    }

    @Test(arguments: [1, 10, 1000])
    func `a handshake goes on while the kernel takes little, and asks to be woken for room`(room: Int) throws {
        socket.room = room
        #expect(transport.establish() == .underWay(wantsRoom: room < 1000))
        try establish()
        #expect(transport.isConnected && transport.failure == nil && transport.delivered == 0)
    }

    @Test func `many commands are one send, and those in records that were taken whole are delivered`() throws {
        try establish()
        server.feed(socket.takeSent())
        socket.sends = 0
        socket.room = 20_000
        let commands = [UInt8](repeating: 7, count: 100_000)
        #expect(transport.send(commands.span) == .bytes(100_000))
        #expect(socket.sends == 1 && transport.holdsOutput && transport.delivered == 16_384)
        // What is held goes first.
        #expect(transport.send(commands.span) == .wouldBlock)
        server.feed(socket.takeSent())
        #expect(server.read().count == Int(transport.delivered))
        socket.room = .max
        let none: [UInt8] = []
        _ = transport.send(none.span)
        #expect(!transport.holdsOutput && transport.delivered == 100_000)
        server.feed(socket.takeSent())
        #expect(server.read().count == 100_000 - 2 * 16_384)
    }

    @Test func `every send uses the same memory`() throws {
        try establish()
        let commands = [UInt8](repeating: 7, count: 100_000)
        for _ in 1...4 { #expect(transport.send(commands.span) == .bytes(100_000)) }
        #expect(Set(socket.addresses.suffix(3)).count == 1)
    }

    @Test func `what was decrypted and not given yet is known, and given without the socket`() throws {
        try establish()
        server.feed(socket.takeSent())
        server.write([UInt8](repeating: 1, count: 2500))
        socket.input += server.takeOutput()
        #expect(receive().count == 1000 && transport.hasBufferedInput)
        #expect(receive().count == 1000 && transport.hasBufferedInput)
        #expect(receive().count == 500 && !transport.hasBufferedInput)
        #expect(receive().isEmpty)
    }

    @Test func `a server that goes in the middle of a record is a connection that closed`() throws {
        try establish()
        server.feed(socket.takeSent())
        server.write([1, 2, 3])
        socket.input += server.takeOutput().dropLast()
        socket.hasEnded = true
        var buffer = [UInt8](repeating: 0, count: 100)
        #expect(transport.receive(into: &buffer, after: 0) == .wouldBlock)
        #expect(transport.receive(into: &buffer, after: 0) == .closed)
    }

    @Test func `what a server said before it hung up is the reason, though nothing can be sent any more`() throws {
        let suite = try TLSTransportTests(requiresCertificate: true)
        let (server, socket) = (suite.server, suite.socket)
        // With TLS 1.3 the client is done before the server has looked at its certificate.
        while suite.transport.establish() != .established {
            server.feed(socket.takeSent())
            socket.input += server.takeOutput()
        }
        server.feed(socket.takeSent())
        socket.input += server.takeOutput()
        socket.isBroken = true
        let address = try Address("rediss://redis.test")
        let connection = Connection(
            suite.transport, token: Token(.redisConnection), address: address, namesItself: true)
        guard case .failed(let failure) = connection.advance(.writable) else {
            Issue.record("no failure")
            return
        }
        #expect(failure == .tls(.certificateRequired))
    }

    @Test func `a server that says more than a handshake before it hangs up is not heard to the end`() throws {
        let first = transport.establish()
        #expect(first == .underWay(wantsRoom: false))
        server.feed(socket.takeSent())
        socket.input = server.takeOutput()
        socket.isBroken = true
        socket.speaksWithoutEnd = true
        #expect(transport.establish() == .failed(EPROTO) && transport.failure != nil)
    }

    @Test func `a server that asks for new keys without end and takes no answer is given up`() throws {
        try establish()
        server.feed(socket.takeSent())
        socket.room = 0
        var result = Transfer.wouldBlock
        var rounds = 0
        while result == .wouldBlock && rounds < 1000 {
            for _ in 0..<100 {
                server.updateKeys()
                server.flush()
            }
            socket.input += server.takeOutput()
            var buffer = [UInt8](repeating: 0, count: 100)
            result = transport.receive(into: &buffer, after: 0)
            rounds += 1
        }
        #expect(result == .failed(EPROTO))
        #expect("\(transport.failure.map { "\($0)" } ?? "")".contains("keeps requesting key updates"))
    }
}

private final class ScriptedSocket: Transport {
    /// What the server has sent.
    var input: [UInt8] = []
    var hasEnded = false
    /// Bytes that are taken at once.
    var room = Int.max
    var sends = 0
    /// Where the bytes of each send were.
    private(set) var addresses: [Int] = []
    /// Whether there is always more input.
    var speaksWithoutEnd = false
    var isBroken = false
    private var sent: [UInt8] = []

    func takeSent() -> [UInt8] {
        defer { sent = [] }
        return sent
    }

    func establish() -> Establishment { .established }
    func send(_ bytes: Span<UInt8>) -> Transfer {
        if isBroken { return .failed(EPIPE) }
        sends += 1
        unsafe bytes.withUnsafeBytes { addresses.append(Int(bitPattern: $0.baseAddress)) }
        let taken = bytes.extracting(first: min(room, bytes.count))
        guard !taken.isEmpty else { return .wouldBlock }
        for index in taken.indices { sent.append(taken[index]) }
        return .bytes(taken.count)
    }
    var holdsOutput: Bool { false }
    var delivered: UInt64 { 0 }
    func receive(into buffer: inout [UInt8], after filled: Int) -> Transfer {
        if input.isEmpty && speaksWithoutEnd { input = [UInt8](repeating: 0, count: buffer.count) }
        guard !input.isEmpty else { return hasEnded ? .closed : .wouldBlock }
        let count = min(input.count, buffer.count - filled)
        buffer.replaceSubrange(filled..<filled + count, with: input[..<count])
        input.removeFirst(count)
        return .bytes(count)
    }
    var hasBufferedInput: Bool { false }
    func watch(wantsRoom: Bool) {}
    var isConnected: Bool { false }
    var failure: ConnectionFailure? { nil }
    func close() {}
}
