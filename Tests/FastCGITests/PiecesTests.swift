import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import FastCGI

/// Requests that do not lie whole in their socket.
struct PiecesTests {
    private let response = utf8("Status: 202 Accepted\r\n\r\n{}")

    @Test(arguments: [false, true])
    func `a request larger than the peer's send buffer is served`(tcp: Bool) throws {
        let site = try Site(Server.Limits(request: .seconds(60)), tcp: tcp)
        let client = try site.connectAndAccept()
        client.descriptor.set(SO_SNDBUF, at: SOL_SOCKET, to: 4096)
        for (size, record) in [(60_000, 65_535), (131_072, 8184), (10_000, 1), (10, 1)] {
            let event = try site.send(request(pair("A", "b"), body: pattern(size), size: record), from: client)
            #expect(event.body == pattern(size) && event.parameters == [Parameter("A", "b")])
            #expect(site.server.answer(event.token, response))
            #expect(site.read(from: client).reading.outputs == [response])
        }
        #expect(site.server.connectionCount == 1)
    }

    @Test func `with no room for one more assembly only the newcomer is dropped`() throws {
        let site = try Site(Server.Limits(request: .seconds(60), body: 131_072))
        // Each may hold a body and twice the parameters' limit: 256 KiB.
        let count = AssemblyBudget.limit / 262_144
        let bytes = request(body: pattern(100))
        let first = try (0..<count).map { _ in
            let client = try site.connectAndAccept()
            client.send(Array(bytes.dropLast(20)))
            return client
        }
        #expect(site.quiet().isEmpty)
        let newcomer = try site.connectAndAccept()
        #expect(try site.send(Array(bytes.dropLast(20)), from: newcomer).arrival == .dropped(.assemblyFull))
        // Whole requests need no room.
        let whole = try site.connectAndAccept()
        #expect(try site.send(bytes, from: whole).body == pattern(100))
        for client in first.prefix(3) {
            client.send(Array(bytes.suffix(20)))
            #expect(try site.event().body == pattern(100))
        }
        let next = try site.connectAndAccept()
        next.send(Array(bytes.dropLast(20)))
        #expect(site.quiet().isEmpty)
    }

    @Test func `FCGI_GET_VALUES is answered between requests`() throws {
        let site = try Site(Server.Limits(request: .milliseconds(100)))
        let client = try site.connectAndAccept()
        for _ in 0..<3 {
            client.send(record(Kind.getValues, pair("FCGI_MPXS_CONNS", ""), id: 0))
            #expect(site.quiet(2).isEmpty)
            let (bytes, isClosed) = client.receive()
            #expect(Array(bytes.suffix(18)) == [15, 1] + utf8("FCGI_MPXS_CONNS0") && bytes[1] == 10 && !isClosed)
        }
        // It begins no request: nothing is late.
        #expect(site.quiet(80).isEmpty && site.server.connectionCount == 1)
        let event = try site.send(request(body: utf8("next")), from: client)
        #expect(event.body == utf8("next"))
    }

    @Test func `whoever asks and reads no reply is dropped`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let ask = record(Kind.getValues, pair("FCGI_MAX_CONNS", "") + pair("FCGI_MAX_REQS", ""), id: 0)
        let end = Instant.now + .seconds(10)
        while site.events.isEmpty && .now < end {
            client.send(Array(repeating: ask, count: 500).flatMap { $0 })
            site.turn(within: .milliseconds(1))
        }
        #expect(try site.event().arrival == .dropped(.incomplete))
        #expect(site.server.connectionCount == 0)
    }
}
