import COpenSSL
import Delivery
import TestSupport
import Testing

@testable import Redis

/// Both ends of TLS over bytes in memory, the server's with a certificate that the client trusts.
struct TLSRig {
    let certificate: ThrowawayCertificate
    let server: MemoryTLSContext

    init(_ certificate: ThrowawayCertificate = ThrowawayCertificate(), newest: Int32 = TLS1_3_VERSION) {
        self.certificate = certificate
        server = MemoryTLSContext(certificate, newest: newest)
    }

    func context() throws -> TLSContext { try TLSContext(TLSFiles(authorities: certificate.path)) }

    func stream(
        _ context: TLSContext, _ name: String = "redis.test", isAddress: Bool = false
    ) throws -> TLSStream {
        try #require(TLSStream(context, to: TLSServer(name: name, isAddress: isAddress), resumes: true))
    }

    /// Hands all output over, at most `step` bytes at a time, until nothing is left.
    func exchange(_ client: TLSStream, _ server: MemoryTLSServer, step: Int = .max) -> TLSStream.Handshake {
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

    func established() throws -> (TLSStream, MemoryTLSServer) {
        let (client, server) = (try stream(try context()), MemoryTLSServer(server))
        try #require(exchange(client, server) == .done)
        return (client, server)
    }

    /// All that can be read, and what came after that.
    func read(_ client: TLSStream) -> ([UInt8], TLSStream.Reading) {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1000)
        while true {
            let reading = client.read(into: &buffer, after: 0)
            guard case .bytes(let count) = reading else { return (all, reading) }
            all += buffer[..<count]
        }
    }

    /// A connection, with the server's tickets read.
    func connect(_ context: TLSContext, _ name: String = "redis.test") throws -> MemoryTLSServer {
        let (client, server) = (try stream(context, name), MemoryTLSServer(server))
        try #require(exchange(client, server) == .done)
        server.write([1])
        let bytes = server.takeOutput()
        client.feed(bytes.span)
        #expect(read(client) == ([1], .needsMore))
        return server
    }

    func result(
        _ context: TLSContext, _ name: String = "redis.test", isAddress: Bool = false,
        with server: MemoryTLSContext? = nil
    ) throws -> (TLSStream.Handshake, MemoryTLSServer) {
        let server = MemoryTLSServer(server ?? self.server)
        return (exchange(try stream(context, name, isAddress: isAddress), server), server)
    }
}
