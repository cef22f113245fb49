import Glibc
import TestSupport
import Testing

@testable import FastCGI
@testable import System

struct ServerFaultTests {
    private let response = utf8("Status: 202 Accepted\r\n\r\n{}")

    /// Checks that the server closed the connection and sent nothing on it.
    private func expectClosed(_ client: Client, by site: Site) {
        let (bytes, isClosed) = client.receiveToEnd()
        #expect(bytes.isEmpty && isClosed)
        #expect(site.server.connectionCount == 0)
    }

    // MARK: Malformed requests

    @Test(
        arguments: [
            ("HTTP", utf8("POST / HTTP/1.1\r\n\r\n"), .version),
            ("a long GET_VALUES", record(Kind.getValues, length: 1025, id: 0), .managementTooLong),
            ("lengths of 1 GiB", request([0xC0, 0, 0, 0, 0xC0, 0, 0, 0] + utf8("xx"), body: [1]), .parameterLength),
            ("two at once", request() + request(), .trailingBytes),
            ("an abort", begin() + record(Kind.abort), .aborted),
            (
                "long parameters", begin() + record(Kind.parameters, length: 65_535) + [UInt8](repeating: 0, count: 9),
                nil
            ),
            ("an authorizer", begin(role: 2), .role),
        ] as [(String, [UInt8], ProtocolFault?)])
    func `a malformed request ends only its connection`(what: String, bytes: [UInt8], fault: ProtocolFault?) throws {
        let site = try Site(limits(request: .milliseconds(60)))
        let client = try site.connectAndAccept()
        let event = try site.send(bytes, from: client)
        #expect(event.arrival == .dropped(fault.map { .fault($0) } ?? .timedOut), "\(what)")
        expectClosed(client, by: site)
        // And the next one is served.
        let next = try site.connectAndAccept()
        #expect(try site.send(request(body: utf8("next")), from: next).body == utf8("next"))
    }

    /// A web server whose client leaves sends one, and may keep the connection.
    @Test(arguments: [0, 5])
    func `an abort of a request that is answered by then is ignored`(padding: Int) throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        var abort = record(Kind.abort)
        abort[6] = UInt8(padding)
        abort += [UInt8](repeating: 7, count: padding)
        for round in 0..<4 {
            let event = try site.send(request(body: utf8("\(round)")), from: client)
            #expect(event.body == utf8("\(round)"))
            // Before the answer is sent, and after it.
            if round % 2 == 0 { client.send(abort) }
            let isAnswered = site.server.answer(event.token, with: response.span)
            #expect(isAnswered)
            if round % 2 == 1 { client.send(abort) }
            #expect(site.quiet(1).isEmpty)
        }
        client.close()
        #expect(site.quiet(1).isEmpty && site.server.connectionCount == 0)
    }

    @Test func `after 300 spoilt requests the next good one is served`() throws {
        let site = try Site(limits(request: .milliseconds(5), body: 64))
        let original = request(pair("A", "b") + pair("C", "d"), body: utf8("body"), size: 6)
        let tokens = [
            begin(), record(Kind.parameters), record(Kind.stdin), record(Kind.getValues, id: 0), [0xFF, 0xFF], [1], [0],
        ]
        var random = SplitMix64(seed: 21)
        for _ in 0..<300 {
            let client = try site.connectAndAccept()
            switch try site.send(random.spoil(original, with: tokens), from: client).arrival {
            case .request(let length): #expect(length <= 64)
            case .tooLong(let length): #expect(length > 64)
            case .dropped(let reason): #expect(reason == .timedOut || reason != .incomplete)
            case .nothing: Issue.record("an event without an arrival")
            }
            client.close()
            for event in site.quiet(1) { site.server.abandon(event.token) }
        }
        let client = try site.connectAndAccept()
        #expect(try site.send(original, from: client).body == utf8("body"))
    }

    // MARK: Time

    @Test func `a peer that stalls in a request is dropped after the request timeout`() throws {
        let site = try Site(limits(request: .milliseconds(50), idle: .seconds(60)))
        let client = try site.connectAndAccept()
        let start = Instant.now
        #expect(try site.send(Array(request().dropLast()), from: client).arrival == .dropped(.timedOut))
        #expect((50_000_000..<5_000_000_000).contains(Instant.now.since(start)))
        expectClosed(client, by: site)
    }

    @Test func `a request that trickles in is dropped at its deadline`() throws {
        let site = try Site(limits(request: .milliseconds(60)))
        let client = try site.connectAndAccept()
        for byte in request(body: pattern(100)).prefix(150) where site.events.isEmpty {
            client.send([byte])
            site.turn(within: .milliseconds(5))
        }
        #expect(try site.event().arrival == .dropped(.timedOut))
    }

    @Test func `the deadline of a request ends once the request is whole`() throws {
        let site = try Site(limits(request: .milliseconds(250), idle: .seconds(60)))
        let client = try site.connectAndAccept()
        let bytes = request()
        client.send(Array(bytes.dropLast()))
        site.turn(within: .milliseconds(2))
        let event = try site.send([bytes.last!], from: client)
        // Taken, answered, and idle afterwards for longer than a request may last.
        #expect(site.quiet(150).isEmpty)
        #expect(site.server.answer(event.token, response))
        #expect(site.read(from: client).reading.outputs == [response])
        #expect(site.quiet(150).isEmpty && site.server.connectionCount == 1)
    }

    @Test func `an idle connection is closed without an event`() throws {
        let site = try Site(limits(request: .seconds(60), idle: .milliseconds(400)))
        let never = try site.connectAndAccept()
        let once = try site.connectAndAccept()
        let event = try site.send(request(), from: once)
        #expect(site.server.answer(event.token, response))
        #expect(site.read(from: once).reading.outputs == [response])
        site.turns { site.server.connectionCount == 0 }
        #expect(site.events.isEmpty)
        expectClosed(never, by: site)
        expectClosed(once, by: site)
    }

    @Test func `a connection that waits for its response is not idle`() throws {
        let site = try Site(limits(request: .milliseconds(200), idle: .milliseconds(200)))
        let client = try site.connectAndAccept()
        let event = try site.send(request(), from: client)
        #expect(site.quiet(130).isEmpty && site.server.connectionCount == 1)
        #expect(site.server.answer(event.token, response))
        #expect(site.read(from: client).reading.outputs == [response])
    }

    // MARK: Closing

    @Test func `a peer that closes between requests is not reported as dropped`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        client.close()
        site.turns { site.server.connectionCount == 0 }
        #expect(site.server.connectionCount == 0 && site.events.isEmpty)
    }

    @Test func `a peer that closes within a request is reported as incomplete`() throws {
        let bytes = request(pair("A", "b"), body: utf8("body"))
        for count in [1, 8, 20, bytes.count - 1] {
            for together in [true, false] {
                let site = try Site()
                let client = try site.connectAndAccept()
                client.send(Array(bytes[..<count]))
                if !together { #expect(site.quiet(1).isEmpty) }
                client.close()
                #expect(try site.event().arrival == .dropped(.incomplete), "\(count)")
                #expect(site.server.connectionCount == 0)
            }
        }
    }

    @Test func `a whole request whose peer has already closed is dropped`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        client.send(request())
        client.close()
        #expect(try site.event().arrival == .dropped(.incomplete))
        let half = try site.connectAndAccept()
        half.send(request())
        half.shutDown()
        #expect(try site.event().arrival == .dropped(.incomplete))
        expectClosed(half, by: site)
    }

    @Test func `the response to a peer that has closed meanwhile is not delivered, and is reported so`() throws {
        for isSeen in [true, false] {
            let site = try Site()
            let client = try site.connectAndAccept()
            let event = try site.send(request(keep: isSeen), from: client)
            client.close()
            if isSeen { #expect(site.quiet(1).isEmpty && site.server.connectionCount == 1) }
            // Its request stays, since the queue's reply still has to arrive.
            #expect(!site.server.answer(event.token, response))
            #expect(site.server.connectionCount == 0)
        }
    }

    @Test func `a peer that shuts down its sending half counts as closed`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let event = try site.send(request(), from: client)
        client.shutDown()
        #expect(site.quiet(1).isEmpty)
        #expect(!site.server.answer(event.token, response))
        expectClosed(client, by: site)
    }

    @Test func `a request that arrives while another waits for its response is served next`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let event = try site.send(request(body: utf8("first")), from: client)
        client.send(request(body: utf8("second")))
        #expect(site.quiet(2).isEmpty)
        #expect(site.server.answer(event.token, response))
        let second = try site.event()
        #expect(second.body == utf8("second"))
        #expect(site.server.answer(second.token, response))
        #expect(site.read(2, from: client).reading.outputs == [response, response])
    }
}
