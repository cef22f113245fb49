import Delivery
import TestSupport
import Testing

@testable import Redis

/// TLS over bytes in memory.
struct TLSStreamTests {
    private let certificate = ThrowawayCertificate()

    private func context() throws -> TLSContext { try TLSContext(TLSFiles(authorities: certificate.path)) }

    private func stream(
        _ context: TLSContext, _ name: String = "redis.test", isAddress: Bool = false
    ) throws -> TLSStream { try #require(TLSStream(context, to: TLSServer(name: name, isAddress: isAddress))) }

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
                if case .failed = client.handshake() { return client.handshake() }
            }
            if result == .done && client.output.isEmpty { return .done }
            if toServer.isEmpty && toClient.isEmpty { return result }
        }
    }

    private func established() throws -> (TLSStream, MemoryTLSServer) {
        let (client, server) = (try stream(try context()), MemoryTLSServer(certificate))
        try #require(exchange(client, server) == .done)
        return (client, server)
    }

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
        let (client, server) = (try stream(try context()), MemoryTLSServer(certificate))
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
        #expect(!client.output.isEmpty)
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

    @Test func `the certificate must be of a trusted authority, and for the name or the address`() throws {
        func result(_ context: TLSContext, _ name: String, isAddress: Bool = false) throws -> TLSStream.Handshake {
            exchange(try stream(context, name, isAddress: isAddress), MemoryTLSServer(certificate))
        }
        let trusting = try context()
        #expect(try result(trusting, "127.0.0.1", isAddress: true) == .done)
        #expect(try result(trusting, "127.0.0.2", isAddress: true) == .failed(.wrongName("127.0.0.2")))
        #expect(try result(trusting, "other.test") == .failed(.wrongName("other.test")))
        let other = ThrowawayCertificate()
        let strange = try TLSContext(TLSFiles(authorities: other.path))
        #expect(try result(strange, "redis.test") == .failed(.unknownAuthority))
    }
}
