import Glibc
import TestSupport
import Testing

@testable import FastCGI
@testable import System

/// Bodies over the limit.
struct OversizeBodyTests {
    private let response = utf8("Status: 202 Accepted\r\n\r\n{}")

    @Test(arguments: [false, true])
    func `a body over the limit is read to its end, and the connection serves the next request`(tcp: Bool) throws {
        let site = try Site(limits(body: 1000), tcp: tcp)
        let client = try site.connectAndAccept()
        for size in [1001, 30_000, 400_000, 1_048_576] {
            for record in [7, 65_535] where record > 7 || size < 50_000 {
                let bytes = request(pair("A", "b"), body: pattern(size), id: 300, size: record)
                let event = try site.send(bytes, from: client)
                #expect(event.arrival == .tooLong(bodyLength: size) && event.parameters == [Parameter("A", "b")])
                #expect(site.server.answer(event.token, utf8("too long")))
                let (reading, isClosed) = site.read(from: client)
                #expect(reading.outputs == [utf8("too long")] && reading.ids == [300] && !isClosed)
                let next = try site.send(request(body: utf8("innocent")), from: client)
                #expect(next.body == utf8("innocent"))
                #expect(site.server.answer(next.token, response))
                #expect(site.read(from: client).reading.outputs == [response])
            }
        }
        #expect(site.server.connectionCount == 1)
    }

    @Test(arguments: [false, true])
    func `a body without end is answered, and its connection cannot be used again`(tcp: Bool) throws {
        let site = try Site(limits(request: .milliseconds(400), body: 1000), tcp: tcp)
        let client = try site.connectAndAccept()
        let head = begin() + stream(Kind.parameters, pair("A", "b"))
        let bytes = head + stream(Kind.stdin, pattern(1_200_000))
        let event = try site.send(bytes, from: client)
        guard case .tooLong(let length) = event.arrival else {
            Issue.record("\(event.arrival)")
            return
        }
        #expect(length > 1_048_576 && event.parameters == [Parameter("A", "b")])
        #expect(site.server.answer(event.token, utf8("too long")))
        // The answer, then the end of the stream: a peer that checks a connection before it reuses it finds this one closed.
        let (reading, isClosed) = site.read(2, from: client)
        #expect(reading.outputs == [utf8("too long")] && isClosed)
        // The bytes that it still sends are dropped, and do not reset the connection for a while.
        for _ in 0..<3 {
            #expect(client.descriptor.send(request().span) == .bytes(request().count))
            #expect(site.quiet(1).isEmpty)
        }
        site.turns { site.server.connectionCount == 0 }
        #expect(site.server.connectionCount == 0 && site.events.isEmpty)
    }

    @Test func `a body over the limit that stalls is answered when its time is over`() throws {
        let site = try Site(limits(request: .milliseconds(100), body: 1000))
        let client = try site.connectAndAccept()
        let head = begin() + stream(Kind.parameters, pair("A", "b")) + record(Kind.stdin, length: 1001)
        let event = try site.send(head, from: client)
        #expect(event.arrival == .tooLong(bodyLength: 1001) && event.parameters == [Parameter("A", "b")])
        #expect(site.server.answer(event.token, utf8("too long")))
        let (reading, isClosed) = site.read(2, from: client)
        #expect(reading.outputs == [utf8("too long")] && isClosed)
    }

    @Test func `a body of exactly the limit is kept, and one of a byte more is too long`() throws {
        let site = try Site(limits(body: 1000))
        let client = try site.connectAndAccept()
        let event = try site.send(request(body: pattern(1000)), from: client)
        #expect(event.body == pattern(1000))
        #expect(site.server.answer(event.token, response))
        #expect(try site.send(request(body: pattern(1001)), from: client).arrival == .tooLong(bodyLength: 1001))
    }
}
