import Glibc
import TestSupport
import Testing

@testable import FastCGI
@testable import System

/// Requests that do not lie whole in their socket.
struct PiecesTests {
    private let response = utf8("Status: 202 Accepted\r\n\r\n{}")

    @Test(arguments: [false, true])
    func `a request larger than the peer's send buffer is served`(tcp: Bool) throws {
        let site = try Site(limits(request: .seconds(60)), tcp: tcp)
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
        let site = try Site(limits(request: .seconds(60), body: 131_072))
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

    /// Each read ends with a request: what follows it is reported on the next turn, after all other connections.
    @Test(arguments: [false, true])
    func `pipelined requests are read one per turn`(tcp: Bool) throws {
        let site = try Site(tcp: tcp)
        let client = try site.connectAndAccept()
        let head = begin() + record(Kind.parameters, padding: 1)
        let length = 65_536 - head.count - 4 * 8
        let bodies = (0..<5).map { number in [UInt8](repeating: UInt8(number), count: length) }
        let bytes = bodies.flatMap { head + stream(Kind.stdin, $0, size: 30_000) }
        #expect(bytes.count == 5 * 65_536)
        var rest = bytes[...]
        for body in bodies {
            let end = Instant.now + .seconds(10)
            while site.events.isEmpty && .now < end {
                if case .bytes(let count) = client.descriptor.send(Array(rest).span) { rest = rest.dropFirst(count) }
                site.turn(within: .milliseconds(1))
            }
            #expect(site.events.count == 1)
            let event = try site.event()
            #expect(event.body == body)
            #expect(site.server.answer(event.token, response))
            #expect(site.events.isEmpty)
        }
        #expect(site.read(5, from: client).reading.outputs.count == 5)
    }

    @Test func `a process that may write no files serves requests in pieces`() async {
        await #expect(processExitsWith: .success) {
            ignoreFileSizeSignal()
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
            #expect(unsafe getrlimit(resource, &limit) == 0)
            limit.rlim_cur = 0
            #expect(unsafe setrlimit(resource, &limit) == 0)
            let site = try Site()
            let client = try site.connectAndAccept()
            let bytes = request(pair("N", String(repeating: "v", count: 65_000)), body: pattern(131_072))
            client.send(Array(bytes[..<100]))
            #expect(site.quiet(1).isEmpty)
            #expect(try site.send(Array(bytes[100...]), from: client).body == pattern(131_072))
        }
    }

    @Test func `FCGI_GET_VALUES is answered between requests`() throws {
        let site = try Site(limits(request: .milliseconds(100)))
        let client = try site.connectAndAccept()
        for _ in 0..<3 {
            client.send(record(Kind.getValues, pair("FCGI_MPXS_CONNS", ""), id: 0))
            #expect(site.quiet(2).isEmpty)
            let (bytes, isClosed) = client.receive()
            #expect(Array(bytes.suffix(18)) == [15, 1] + utf8("FCGI_MPXS_CONNS0") && bytes[1] == 10 && !isClosed)
        }
        // It does not begin a request, so nothing times out.
        #expect(site.quiet(80).isEmpty && site.server.connectionCount == 1)
        let event = try site.send(request(body: utf8("next")), from: client)
        #expect(event.body == utf8("next"))
    }

    @Test func `a peer that sends FCGI_GET_VALUES and does not read the reply is dropped`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let ask = record(Kind.getValues, pair("FCGI_MAX_CONNS", "") + pair("FCGI_MAX_REQS", ""), id: 0)
        let end = Instant.now + .seconds(10)
        while site.events.isEmpty && .now < end {
            client.send(Array(repeating: ask, count: 500).flatMap { $0 })
            site.turn(within: .milliseconds(1))
        }
        #expect(try site.event().arrival == .dropped(.replyNotRead))
        #expect(site.server.connectionCount == 0)
    }
}
