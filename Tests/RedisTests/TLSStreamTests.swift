import COpenSSL
import Delivery
import TestSupport
import Testing

@testable import Redis

/// TLS over bytes in memory.
struct TLSStreamTests {
    private let certificate: ThrowawayCertificate
    private let server: MemoryTLSContext

    init() { self.init(ThrowawayCertificate()) }

    private init(_ certificate: ThrowawayCertificate, newest: Int32 = TLS1_3_VERSION) {
        self.certificate = certificate
        server = MemoryTLSContext(certificate, newest: newest)
    }

    private func context() throws -> TLSContext { try TLSContext(TLSFiles(authorities: certificate.path)) }

    private func stream(
        _ context: TLSContext, _ name: String = "redis.test", isAddress: Bool = false
    ) throws -> TLSStream {
        try #require(TLSStream(context, to: TLSServer(name: name, isAddress: isAddress), resumes: true))
    }

    /// Hands all output over, at most `step` bytes at a time, until nothing is left.
    private func exchange(_ client: TLSStream, _ server: MemoryTLSServer, step: Int = .max) -> TLSStream.Handshake {
        while true {
            let result = client.handshake()
            if case .failed = result { return result }
            let toServer = Array(client.output.prefix(step))
            client.took(toServer.count)
            server.feed(toServer)
            let toClient = server.takeOutput()
            for start in stride(from: 0, to: toClient.count, by: min(step, 1 << 20)) {
                let piece = Array(toClient[start..<min(start + min(step, 1 << 20), toClient.count)])
                client.feed(piece.span)
                let result = client.handshake()
                if case .failed = result { return result }
            }
            if result == .done && client.output.isEmpty { return .done }
            if toServer.isEmpty && toClient.isEmpty { return result }
        }
    }

    private func established() throws -> (TLSStream, MemoryTLSServer) {
        let (client, server) = (try stream(try context()), MemoryTLSServer(server))
        try #require(exchange(client, server) == .done)
        return (client, server)
    }

    /// All that can be read, and what came after that.
    private func read(_ client: TLSStream) -> ([UInt8], TLSStream.Reading) {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1000)
        while true {
            let reading = client.read(into: &buffer, after: 0)
            guard case .bytes(let count) = reading else { return (all, reading) }
            all += buffer[..<count]
        }
    }

    @Test(arguments: [1, 7, 100, Int.max])
    func `a handshake succeeds however its bytes are cut`(step: Int) throws {
        let (client, server) = (try stream(try context()), MemoryTLSServer(server))
        #expect(exchange(client, server, step: step) == .done)
        #expect(client.delivered == 0)
    }

    @Test func `what the kernel has is what the server can decrypt, at every byte`() throws {
        let (client, server) = try established()
        let plain = (0..<40_000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(client.write(plain.span) == nil)
        var (received, taken) = (0, 0)
        while !client.output.isEmpty {
            // Byte by byte around the ends of records, in larger steps elsewhere.
            let count = min(client.output.count, taken % 16_400 < 60 || taken % 16_400 > 16_300 ? 1 : 50)
            server.feed(Array(client.output.prefix(count)))
            client.took(count)
            taken += count
            received += server.read().count
            #expect(client.delivered == UInt64(received))
        }
        #expect(received == plain.count)
    }

    @Test func `replies are decrypted however their records are cut`() throws {
        let (client, server) = try established()
        var expected: [UInt8] = []
        for count in [1, 5, 16_384, 16_385, 40_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            server.write(bytes)
            expected += bytes
        }
        let sealed = server.takeOutput()
        var random = SplitMix64(seed: 14)
        var received: [UInt8] = []
        for piece in random.cut(sealed) {
            client.feed(piece.span)
            let (bytes, end) = read(client)
            received += bytes
            #expect(end == .needsMore)
        }
        #expect(received == expected && !client.hasInput)
    }

    @Test func `a key update is answered, and commands go on`() throws {
        let (client, server) = try established()
        server.updateKeys()
        server.write([1])
        let update = server.takeOutput()
        client.feed(update.span)
        #expect(read(client) == ([1], .needsMore))
        // The answer comes before the next command.
        let command: [UInt8] = [2, 3]
        #expect(client.write(command.span) == nil)
        server.feed(client.output)
        client.took(client.output.count)
        #expect(server.read() == [2, 3] && client.delivered == 2)
    }

    @Test func `an end in order is told from a failure`() throws {
        let (client, server) = try established()
        server.write([1])
        server.end()
        let bytes = server.takeOutput()
        client.feed(bytes.span)
        #expect(read(client) == ([1], .ended))
    }

    @Test func `garbage is a failure, in the handshake and after it, and nothing follows it`() throws {
        for garbage in ["-ERR unknown command\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"] {
            let client = try stream(try context())
            _ = client.handshake()
            let bytes = utf8(garbage)
            client.feed(bytes.span)
            #expect(client.handshake() == .failed(.notTLS))
        }
        var random = SplitMix64(seed: 15)
        for _ in 0..<200 {
            let (client, server) = try established()
            server.write([UInt8](repeating: 7, count: 300))
            var sealed = server.takeOutput()
            sealed[random.below(sealed.count)] ^= UInt8(1 << random.below(8))
            client.feed(sealed.span)
            let (bytes, end) = read(client)
            #expect(bytes.allSatisfy { $0 == 7 } && end != .ended)
            #expect(read(client).0.isEmpty)
        }
    }

    // MARK: Hostile servers

    @Test func `a record longer than TLS allows is a failure before it is whole`() throws {
        let (client, _) = try established()
        let header: [UInt8] = [23, 3, 3, 0xFF, 0xFF, 0]
        client.feed(header.span)
        let (bytes, end) = read(client)
        #expect(bytes.isEmpty && end == .failed(.notTLS))
    }

    @Test func `an alert at any moment is a failure, and nothing traps`() throws {
        let alert: [UInt8] = [21, 3, 3, 0, 2, 2, 80]
        for step in [0, 1, 50, 300, 400] {
            let (client, server) = (try stream(try context()), MemoryTLSServer(server))
            _ = client.handshake()
            server.feed(client.output)
            client.took(client.output.count)
            let answer = Array(server.takeOutput().prefix(step))
            client.feed(answer.span)
            _ = client.handshake()
            client.feed(alert.span)
            let result = client.handshake()
            // In the middle of a record the alert is a part of that.
            #expect(result != .done && (step == 0 ? result != .underWay : true))
        }
    }

    @Test func `endless key updates leave no output behind where the server takes the responses`() throws {
        let (client, server) = try established()
        for _ in 0..<1000 {
            server.updateKeys()
            server.write([1])
            let update = server.takeOutput()
            client.feed(update.span)
            _ = read(client)
            // The server takes them, as TLS wants it: otherwise it could not ask again.
            server.feed(client.output)
            client.took(client.output.count)
            _ = server.read()
        }
        #expect(client.output.isEmpty)
    }

    // MARK: Sessions

    /// A connection, with the server's tickets read.
    private func connect(_ context: TLSContext, _ name: String = "redis.test") throws -> MemoryTLSServer {
        let (client, server) = (try stream(context, name), MemoryTLSServer(server))
        try #require(exchange(client, server) == .done)
        server.write([1])
        let bytes = server.takeOutput()
        client.feed(bytes.span)
        #expect(read(client) == ([1], .needsMore))
        return server
    }

    @Test func `a session is resumed for the same name and context, and no other`() throws {
        let certificate = ThrowawayCertificate("DNS:redis.test,DNS:other.test")
        let suite = TLSStreamTests(certificate)
        let context = try suite.context()
        #expect(try suite.connect(context).isResumed == false)
        #expect(try suite.connect(context).isResumed)
        #expect(try suite.connect(context, "other.test").isResumed == false)
        // Files that were read again make another context.
        #expect(try suite.connect(suite.context()).isResumed == false)
    }

    @Test func `a session that the server does not know costs a whole handshake, and no failure`() throws {
        let context = try context()
        _ = try connect(context)
        let restarted = TLSStreamTests(certificate)
        #expect(try restarted.connect(context).isResumed == false)
        #expect(try restarted.connect(context).isResumed)
    }

    @Test func `a session of TLS 1_2 is resumed as well`() throws {
        let suite = TLSStreamTests(certificate, newest: TLS1_2_VERSION)
        let context = try suite.context()
        #expect(try suite.connect(context).isResumed == false)
        #expect(try suite.connect(context).isResumed)
    }

    // MARK: Who may connect

    private func result(
        _ context: TLSContext, _ name: String = "redis.test", isAddress: Bool = false,
        with server: MemoryTLSContext? = nil
    ) throws -> (TLSStream.Handshake, MemoryTLSServer) {
        let server = MemoryTLSServer(server ?? self.server)
        return (exchange(try stream(context, name, isAddress: isAddress), server), server)
    }

    @Test func `the certificate must be of a trusted authority, and for the name or the address`() throws {
        let trusting = try context()
        #expect(try result(trusting, "127.0.0.1", isAddress: true).0 == .done)
        #expect(try result(trusting, "127.0.0.2", isAddress: true).0 == .failed(.wrongName("127.0.0.2")))
        #expect(try result(trusting, "other.test").0 == .failed(.wrongName("other.test")))
        // An address is not a name, not even where the certificate has it as one.
        let named = TLSStreamTests(ThrowawayCertificate("DNS:127.0.0.1"))
        #expect(try named.result(named.context(), "127.0.0.1", isAddress: true).0 == .failed(.wrongName("127.0.0.1")))
        let stranger = ThrowawayCertificate()
        let strange = try TLSContext(TLSFiles(authorities: stranger.path))
        #expect(try result(strange).0 == .failed(.unknownAuthority))
    }

    @Test func `a server is asked for by its name, but not by an address`() throws {
        let trusting = try context()
        #expect(try result(trusting).1.askedName == "redis.test")
        #expect(try result(trusting, "127.0.0.1", isAddress: true).1.askedName == nil)
    }

    @Test(arguments: [(-7200 ... -3600, TLSFailure.expired), (3600...7200, .notYetValid)])
    func `the certificate must be valid now`(seconds: ClosedRange<Int>, expected: TLSFailure) throws {
        let suite = TLSStreamTests(ThrowawayCertificate(valid: seconds))
        #expect(try suite.result(suite.context()).0 == .failed(expected))
    }

    @Test func `a server with nothing newer than TLS 1_1 is refused`() throws {
        let suite = TLSStreamTests(certificate, newest: TLS1_1_VERSION)
        #expect(try suite.result(suite.context()).0 == .failed(.noCommonVersion))
    }

    @Test func `a client certificate that is missing or of another authority is told from the others`() throws {
        let strict = MemoryTLSContext(certificate, clientsOf: certificate)
        func failure(_ files: TLSFiles) throws -> TLSStream.Reading {
            let (client, server) = (try stream(try TLSContext(files)), MemoryTLSServer(strict))
            // With TLS 1.3 the client is done before the server has looked at its certificate.
            _ = exchange(client, server)
            let rest = server.takeOutput()
            client.feed(rest.span)
            return read(client).1
        }
        let authorities = certificate.path
        #expect(try failure(TLSFiles(authorities: authorities)) == .failed(.certificateRequired))
        let strange = ThrowawayCertificate()
        #expect(
            try failure(TLSFiles(authorities: authorities, certificate: strange.path, key: strange.keyPath))
                == .failed(.certificateRefused))
        let own = ThrowawayCertificate("DNS:client", issuer: certificate)
        #expect(
            try failure(TLSFiles(authorities: authorities, certificate: own.path, key: own.keyPath)) == .needsMore)
    }
}
