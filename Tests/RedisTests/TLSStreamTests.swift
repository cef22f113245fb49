import COpenSSL
import Delivery
import System
import TestSupport
import Testing

@testable import Redis

/// TLS over bytes in memory.
struct TLSStreamTests {
    private let rig = TLSRig()

    @Test(arguments: [1, 7, 100, Int.max])
    func `a handshake succeeds however its bytes are cut`(step: Int) throws {
        let (client, server) = (try rig.stream(try rig.context()), MemoryTLSServer(rig.server))
        #expect(rig.exchange(client, server, step: step) == .done)
        #expect(client.delivered == 0)
    }

    @Test func `what the kernel has is what the server can decrypt, at every byte`() throws {
        let (client, server) = try rig.established()
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
        let (client, server) = try rig.established()
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
            let (bytes, end) = rig.read(client)
            received += bytes
            #expect(end == .needsMore)
        }
        #expect(received == expected && !client.hasInput)
    }

    @Test func `a key update is answered, and commands go on`() throws {
        let (client, server) = try rig.established()
        server.updateKeys()
        server.write([1])
        let update = server.takeOutput()
        client.feed(update.span)
        #expect(rig.read(client) == ([1], .needsMore))
        // The answer comes before the next command.
        let command: [UInt8] = [2, 3]
        #expect(client.write(command.span) == nil)
        server.feed(client.output)
        client.took(client.output.count)
        #expect(server.read() == [2, 3] && client.delivered == 2)
    }

    @Test func `an end in order is told from a failure`() throws {
        let (client, server) = try rig.established()
        server.write([1])
        server.end()
        let bytes = server.takeOutput()
        client.feed(bytes.span)
        #expect(rig.read(client) == ([1], .ended))
    }

    @Test func `garbage is a failure, in the handshake and after it, and nothing follows it`() throws {
        for garbage in ["-ERR unknown command\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"] {
            let client = try rig.stream(try rig.context())
            _ = client.handshake()
            let bytes = utf8(garbage)
            client.feed(bytes.span)
            #expect(client.handshake() == .failed(.notTLS))
        }
        var random = SplitMix64(seed: 15)
        for _ in 0..<200 {
            let (client, server) = try rig.established()
            server.write([UInt8](repeating: 7, count: 300))
            var sealed = server.takeOutput()
            sealed[random.below(sealed.count)] ^= UInt8(1 << random.below(8))
            client.feed(sealed.span)
            let (bytes, end) = rig.read(client)
            #expect(bytes.allSatisfy { $0 == 7 } && end != .ended)
            #expect(rig.read(client).0.isEmpty)
        }
    }

    /// What is behind data in the same bytes: an error, an alert, close_notify.
    @Test(arguments: ["garbage", "alert", "close_notify"])
    func `an end behind data is told once the data was handed out`(kind: String) throws {
        let (client, server) = try rig.established()
        server.write([1, 2])
        if kind == "close_notify" { server.end() }
        var bytes = server.takeOutput()
        if kind == "garbage" { bytes += utf8("HTTP/1.1 400 Bad Request\r\n\r\n") }
        if kind == "alert" { bytes += [21, 3, 3, 0, 2, 2, 80] }
        client.feed(bytes.span)
        var buffer = [UInt8](repeating: 0, count: 100)
        #expect(client.read(into: &buffer, after: 0) == .bytes(2))
        #expect(client.hasInput)
        let end = client.read(into: &buffer, after: 0)
        if kind == "close_notify" { #expect(end == .ended) } else { #expect(end != .ended && end != .needsMore) }
    }

    // MARK: Hostile servers

    @Test func `a record longer than TLS allows is a failure before it is whole`() throws {
        let (client, _) = try rig.established()
        let header: [UInt8] = [23, 3, 3, 0xFF, 0xFF, 0]
        client.feed(header.span)
        let (bytes, end) = rig.read(client)
        #expect(bytes.isEmpty && end == .failed(.other("packet length too long")))
    }

    @Test func `an alert at any moment is a failure, and nothing traps`() throws {
        let alert: [UInt8] = [21, 3, 3, 0, 2, 2, 80]
        for step in [0, 1, 50, 300, 400] {
            let (client, server) = (try rig.stream(try rig.context()), MemoryTLSServer(rig.server))
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
        let (client, server) = try rig.established()
        for _ in 0..<1000 {
            server.updateKeys()
            server.write([1])
            let update = server.takeOutput()
            client.feed(update.span)
            _ = rig.read(client)
            // The server takes them, as TLS wants it: otherwise it could not ask again.
            server.feed(client.output)
            client.took(client.output.count)
            _ = server.read()
        }
        #expect(client.output.isEmpty)
    }

    // MARK: Sessions

    @Test func `a session is resumed for the same name and context, and no other`() throws {
        let suite = TLSRig(ThrowawayCertificate("DNS:redis.test,DNS:other.test"))
        let context = try suite.context()
        #expect(try suite.connect(context).isResumed == false)
        #expect(try suite.connect(context).isResumed)
        #expect(try suite.connect(context, "other.test").isResumed == false)
        // Files that were read again make another context.
        #expect(try suite.connect(suite.context()).isResumed == false)
    }

    @Test func `a session that the server does not know costs a whole handshake, and no failure`() throws {
        let context = try rig.context()
        _ = try rig.connect(context)
        let restarted = TLSRig(rig.certificate)
        #expect(try restarted.connect(context).isResumed == false)
        #expect(try restarted.connect(context).isResumed)
    }

    @Test func `a session of TLS 1_2 is resumed as well`() throws {
        let suite = TLSRig(rig.certificate, newest: TLS1_2_VERSION)
        let context = try suite.context()
        #expect(try suite.connect(context).isResumed == false)
        #expect(try suite.connect(context).isResumed)
    }

    @Test func `a session is not resumed for longer than an hour after its server was verified`() throws {
        #expect(TLSContext.sessionAge == .seconds(3600))
        let files = TLSFiles(authorities: rig.certificate.path)
        let context = try TLSContext(files, sessionAge: .milliseconds(300))
        #expect(try rig.connect(context).isResumed == false)
        // A session that comes of another is as old as that.
        var resumed: [Bool] = []
        let start = Instant.now
        while start + .milliseconds(700) > .now { resumed.append(try rig.connect(context).isResumed) }
        #expect(resumed.contains(true) && resumed.contains(false))
    }

    @Test func `a connection that does not resume keeps no session either`() throws {
        let context = try rig.context()
        for _ in 1...2 {
            let server = TLSServer(name: "redis.test", isAddress: false)
            let client = try #require(TLSStream(context, to: server, resumes: false))
            let other = MemoryTLSServer(rig.server)
            try #require(rig.exchange(client, other) == .done)
            other.write([1])
            let bytes = other.takeOutput()
            client.feed(bytes.span)
            #expect(rig.read(client) == ([1], .needsMore) && !other.isResumed)
        }
        #expect(try rig.connect(context).isResumed == false)
    }
}
