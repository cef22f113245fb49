import EventLoop
import FastCGI
import System
import TestSupport
import Testing

struct ServerTests {
    private let response = utf8("Status: 202 Accepted\r\n\r\n{}")

    /// Answers and reads the answer.
    private func answer(_ event: Event, on site: Site, to client: Client) -> (reading: Reading, isClosed: Bool) {
        #expect(site.server.answer(event.token, response))
        return site.read(from: client)
    }

    // MARK: Requests

    @Test(arguments: [false, true])
    func `a request arrives with its parameters, its body and its id`(tcp: Bool) throws {
        let site = try Site(tcp: tcp)
        let client = try site.connectAndAccept()
        let content =
            pair("REQUEST_METHOD", "POST") + pair("REQUEST_ID", String(repeating: "x", count: 200)) + pair("EMPTY", "")
        let event = try site.send(request(content, body: utf8("{\"a\":1}\0é"), id: 513), from: client)
        #expect(event.arrival == .request(bodyLength: 10))
        #expect(event.body == utf8("{\"a\":1}\0é"))
        let expected = [("REQUEST_METHOD", "POST"), ("REQUEST_ID", String(repeating: "x", count: 200)), ("EMPTY", "")]
        #expect(event.parameters == expected.map { Parameter($0.0, $0.1) })
        let (reading, isClosed) = answer(event, on: site, to: client)
        #expect(reading.outputs == [response] && reading.isWellFormed && !isClosed)
        #expect(reading.ids == [513])
        #expect(site.server.connectionCount == 1)
    }

    @Test(arguments: [false, true])
    func `a request may arrive byte by byte`(tcp: Bool) throws {
        let site = try Site(tcp: tcp)
        let client = try site.connectAndAccept()
        let bytes = request(pair("A", "b"), body: utf8("body"))
        for byte in bytes.dropLast() {
            client.send([byte])
            #expect(site.quiet(1).isEmpty)
        }
        let event = try site.send([bytes.last!], from: client)
        #expect(event.arrival == .request(bodyLength: 4) && event.body == utf8("body"))
        #expect(event.parameters == [Parameter("A", "b")])
        #expect(answer(event, on: site, to: client).reading.outputs == [response])
    }

    @Test func `a request may be cut anywhere`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let bytes = request(pair("A", "b") + pair("C", "d"), body: utf8("body"), size: 5, padded: true)
        for cut in 1..<bytes.count {
            client.send(Array(bytes[..<cut]))
            #expect(site.quiet(1).isEmpty)
            let event = try site.send(Array(bytes[cut...]), from: client)
            #expect(event.body == utf8("body") && event.parameters == [Parameter("A", "b"), Parameter("C", "d")])
            #expect(answer(event, on: site, to: client).reading.outputs == [response])
        }
    }

    /// Sizes at which libfcgi 2.4.2 leaves the body's last record unread if it is read by its length alone, and others.
    @Test(arguments: [
        0, 1, 8_123, 8_124, 8_125, 8_127, 8_128, 8_129, 8_183, 8_184, 8_185, 8_191, 8_192, 8_193, 16_248, 32_767,
        32_768,
        32_769, 65_535, 65_536, 100_000, 131_071, 131_072,
    ])
    func `a body of any size is read, and so is the next request after it`(size: Int) throws {
        for (recordSize, tcp) in [(32_768, false), (65_535, false), (32_768, true)] {
            let site = try Site(tcp: tcp)
            let client = try site.connectAndAccept()
            for body in [pattern(size), utf8("next"), pattern(size)] {
                let event = try site.send(request(body: body, size: recordSize, padded: tcp), from: client)
                #expect(event.arrival == .request(bodyLength: body.count))
                #expect(event.body == body, "\(size) in records of \(recordSize)")
                #expect(event.parameters == [Parameter("REQUEST_METHOD", "POST")])
                let (reading, isClosed) = answer(event, on: site, to: client)
                #expect(reading.outputs == [response] && !isClosed)
            }
        }
    }

    @Test func `parameters may be as long as their limit`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let value = String(repeating: "v", count: 65_536 - 6)
        let event = try site.send(request(pair("N", value), body: pattern(1000)), from: client)
        #expect(event.parameters == [Parameter("N", value)] && event.body == pattern(1000))
        #expect(answer(event, on: site, to: client).reading.outputs == [response])
    }

    // MARK: Answers

    @Test(arguments: [
        0, 1, 8_150, 8_151, 8_152, 8_159, 8_160, 8_161, 8_168, 8_176, 8_184, 8_192, 16_000, 65_535, 65_536, 100_000,
    ])
    func `a response of any size is sent in full`(size: Int) throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        for keep in [true, false] {
            let event = try site.send(request(keep: keep), from: client)
            #expect(site.server.answer(event.token, pattern(size)))
            let (reading, isClosed) = site.read(keep ? 1 : 2, from: client)
            #expect(reading.outputs == [pattern(size)] && reading.isWellFormed)
            #expect(isClosed || keep)
        }
        #expect(site.server.connectionCount == 0)
    }

    @Test func `a response that the peer does not read ends the connection`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let event = try site.send(request(), from: client)
        let answer = pattern(8_000_000)
        let start = Instant.now
        #expect(!site.server.answer(event.token, answer))
        #expect(Instant.now.since(start) < 4_000_000_000)
        #expect(site.server.connectionCount == 0)
    }

    @Test func `a request is answered once`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let event = try site.send(request(), from: client)
        #expect(answer(event, on: site, to: client).reading.outputs == [response])
        #expect(!site.server.answer(event.token, response))
        #expect(client.receive().bytes.isEmpty)
        #expect(!site.server.answer(Token(.webConnection, slot: 7), response))
    }

    @Test func `several requests wait at once, and are answered in any order`() throws {
        let site = try Site()
        let a = try site.connectAndAccept()
        let b = try site.connectAndAccept()
        let first = try site.send(request(body: utf8("a"), id: 1), from: a)
        let second = try site.send(request(body: utf8("b"), id: 2), from: b)
        #expect(first.body == utf8("a") && second.body == utf8("b") && first.token != second.token)
        #expect(site.server.answer(second.token, utf8("for b")))
        #expect(site.server.answer(first.token, utf8("for a")))
        #expect(site.read(from: a).reading.outputs == [utf8("for a")])
        #expect(site.read(from: b).reading.outputs == [utf8("for b")])
    }

    // MARK: Connections

    @Test func `a kept connection serves many requests`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        for number in 0..<300 {
            let event = try site.send(request(pair("N", "\(number)"), body: utf8("\(number)")), from: client)
            #expect(event.parameters == [Parameter("N", "\(number)")] && event.body == utf8("\(number)"))
            #expect(answer(event, on: site, to: client).reading.outputs == [response])
        }
        #expect(site.server.connectionCount == 1)
        client.close()
        site.turns { site.server.connectionCount == 0 }
        #expect(site.server.connectionCount == 0 && site.events.isEmpty)
    }

    @Test func `a connection that is not kept is closed after its response`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let event = try site.send(request(keep: false), from: client)
        #expect(site.server.answer(event.token, response))
        #expect(site.server.connectionCount == 0)
        let (bytes, isClosed) = client.receiveToEnd()
        #expect(Reading(bytes).outputs == [response] && isClosed)
    }

    @Test func `1,500 connections in turn use one slot and different tokens`() throws {
        let site = try Site()
        var tokens: Set<Token> = []
        var slots: Set<UInt32> = []
        for _ in 0..<1500 {
            let client = try site.connectAndAccept()
            let event = try site.send(request(keep: false), from: client)
            tokens.insert(event.token)
            slots.insert(event.token.slot)
            #expect(site.server.answer(event.token, response))
            // The token of a closed connection does not stand for the slot's next one.
            #expect(!site.server.answer(event.token, response))
        }
        #expect(tokens.count == 1500 && slots.count == 1 && site.server.connectionCount == 0)
    }

    @Test func `the token of a closed connection has no effect on the next one in its slot`() throws {
        let site = try Site()
        let old = try site.connectAndAccept()
        let event = try site.send(request(keep: false), from: old)
        #expect(site.server.answer(event.token, response))
        let new = try site.connectAndAccept()
        let next = try site.send(request(), from: new)
        #expect(next.token.slot == event.token.slot && next.token != event.token)
        site.receive(event.token, [.readable, .closed])
        site.server.abandon(event.token)
        #expect(!site.server.answer(event.token, utf8("wrong")))
        #expect(site.server.timer(event.token, parameter: { _, _ in }) == nil)
        #expect(site.server.connectionCount == 1 && site.events.isEmpty)
        #expect(answer(next, on: site, to: new).reading.outputs == [response])
    }

    @Test func `the connection of an abandoned request is closed without a response`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let event = try site.send(request(), from: client)
        site.server.abandon(event.token)
        #expect(site.server.connectionCount == 0)
        let (bytes, isClosed) = client.receiveToEnd()
        #expect(bytes.isEmpty && isClosed)
        #expect(!site.server.answer(event.token, response))
    }

    @Test func `a stalled connection delays no other`() throws {
        let site = try Site()
        let stalled = try site.connectAndAccept()
        stalled.send(Array(request(body: pattern(5000)).dropLast(3000)))
        #expect(site.quiet().isEmpty)
        let start = Instant.now
        for _ in 0..<50 {
            let client = try site.connectAndAccept()
            let event = try site.send(request(keep: false), from: client)
            #expect(answer(event, on: site, to: client).reading.outputs == [response])
        }
        #expect(Instant.now.since(start) < 4_000_000_000)
        let event = try site.send(Array(request(body: pattern(5000)).suffix(3000)), from: stalled)
        #expect(event.body == pattern(5000))
    }

    @Test func `stopAccepting serves the backlog and refuses later connections`() throws {
        let site = try Site()
        let first = try site.connectAndAccept()
        // Gone before its turn came.
        try site.connect().close()
        let a = try site.connect()
        let b = try site.connect()
        a.send(request(body: utf8("a")))
        #expect(site.server.stopAccepting().isEmpty)
        #expect(throws: SystemError.self) { _ = try site.connect() }
        #expect(site.server.connectionCount == 4)
        let event = try site.event()
        #expect(event.body == utf8("a"))
        #expect(answer(event, on: site, to: a).reading.outputs == [response])
        for client in [0, 1] {
            let event = try client == 0 ? site.send(request(), from: first) : site.send(request(), from: b)
            #expect(site.server.answer(event.token, response))
        }
        #expect(site.read(from: first).reading.outputs == [response])
        #expect(site.read(from: b).reading.outputs == [response])
    }
}
