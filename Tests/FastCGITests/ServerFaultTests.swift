import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import FastCGI

struct ServerFaultTests {
    private let response = utf8("Status: 202 Accepted\r\n\r\n{}")

    /// What a dropped connection leaves: nothing open, nothing sent.
    private func expectClosed(_ client: Client, by site: Site) {
        let (bytes, isClosed) = client.receive()
        #expect(bytes.isEmpty && isClosed)
        #expect(site.server.connectionCount == 0)
    }

    // MARK: What is no request

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
    func itsConnectionIsDropped(what: String, bytes: [UInt8], fault: ProtocolFault?) throws {
        let site = try Site(Server.Limits(request: .milliseconds(60)))
        let client = try site.connectAndAccept()
        let event = try site.send(bytes, from: client)
        #expect(event.arrival == .dropped(fault.map { .fault($0) } ?? .timedOut), "\(what)")
        expectClosed(client, by: site)
        // And the next one is served.
        let next = try site.connectAndAccept()
        #expect(try site.send(request(body: utf8("next")), from: next).body == utf8("next"))
    }

    @Test func noiseOnTheSocketHarmsNobody() throws {
        let site = try Site(Server.Limits(request: .milliseconds(5), body: 64))
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
            case .nothing: Issue.record("nothing is no event")
            }
            client.close()
            for event in site.quiet(1) { site.server.abandon(event.token) }
        }
        let client = try site.connectAndAccept()
        #expect(try site.send(original, from: client).body == utf8("body"))
    }

    // MARK: Time

    @Test func aPeerThatStallsIsDropped() throws {
        let site = try Site(Server.Limits(request: .milliseconds(50), idle: .seconds(60)))
        let client = try site.connectAndAccept()
        let start = Instant.now
        #expect(try site.send(Array(request().dropLast()), from: client).arrival == .dropped(.timedOut))
        #expect((50_000_000..<5_000_000_000).contains(Instant.now.since(start)))
        expectClosed(client, by: site)
    }

    @Test func tricklingDoesNotMoveTheDeadline() throws {
        let site = try Site(Server.Limits(request: .milliseconds(60)))
        let client = try site.connectAndAccept()
        for byte in request(body: pattern(100)).prefix(150) where site.events.isEmpty {
            client.send([byte])
            site.turn(within: .milliseconds(5))
        }
        #expect(try site.event().arrival == .dropped(.timedOut))
    }

    @Test func theRequestsDeadlineEndsWithTheRequest() throws {
        let site = try Site(Server.Limits(request: .milliseconds(250), idle: .seconds(60)))
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

    @Test func anIdleConnectionIsClosedInSilence() throws {
        let site = try Site(Server.Limits(request: .seconds(60), idle: .milliseconds(400)))
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

    @Test func whatWaitsForItsAnswerIsNotIdle() throws {
        let site = try Site(Server.Limits(request: .milliseconds(200), idle: .milliseconds(200)))
        let client = try site.connectAndAccept()
        let event = try site.send(request(), from: client)
        #expect(site.quiet(130).isEmpty && site.server.connectionCount == 1)
        #expect(site.server.answer(event.token, response))
        #expect(site.read(from: client).reading.outputs == [response])
    }

    // MARK: Closing

    @Test func aPeerThatClosesBetweenRequestsDropsNothing() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        client.close()
        site.turns { site.server.connectionCount == 0 }
        #expect(site.server.connectionCount == 0 && site.events.isEmpty)
    }

    @Test func aPeerThatClosesWithinARequestIsTold() throws {
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

    @Test func aPeerThatHasClosedAlreadyGetsNoJob() throws {
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

    @Test func aPeerThatClosesWhileItsRequestIsTakenGetsNoAnswer() throws {
        for isSeen in [true, false] {
            let site = try Site()
            let client = try site.connectAndAccept()
            let event = try site.send(request(keep: isSeen), from: client)
            client.close()
            if isSeen { #expect(site.quiet(1).isEmpty && site.server.connectionCount == 1) }
            // Its request stays, for the queue's reply to come to.
            #expect(!site.server.answer(event.token, response))
            #expect(site.server.connectionCount == 0)
        }
    }

    @Test func aPeerThatSendsNoMoreIsTakenForOneThatHasGone() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let event = try site.send(request(), from: client)
        client.shutDown()
        #expect(site.quiet(1).isEmpty)
        #expect(!site.server.answer(event.token, response))
        expectClosed(client, by: site)
    }

    @Test func bytesThatComeWhileARequestIsTakenAreNotForgotten() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let event = try site.send(request(body: utf8("first")), from: client)
        client.send(request(body: utf8("second")))
        #expect(site.quiet(2).isEmpty)
        #expect(site.server.delivery(event.token, response) == .deliveredWithMoreToRead)
        site.receive(event.token, .readable)
        let second = try site.event()
        #expect(second.body == utf8("second"))
        #expect(site.server.delivery(second.token, response) == .delivered)
        #expect(site.read(2, from: client).reading.outputs == [response, response])
    }

    // MARK: Too long

    @Test(arguments: [false, true])
    func `a body over the limit is read to its end, and the connection serves the next request`(tcp: Bool) throws {
        let site = try Site(Server.Limits(body: 1000), tcp: tcp)
        let client = try site.connectAndAccept()
        for size in [1001, 30_000, 400_000, 1_048_576] {
            for record in [7, 65_535] where record > 7 || size < 50_000 {
                let bytes = request(pair("A", "b"), body: pattern(size), id: 300, size: record)
                let event = try site.send(bytes, from: client)
                #expect(event.arrival == .tooLong(bodyLength: size) && event.parameters == [Parameter("A", "b")])
                #expect(site.server.delivery(event.token, utf8("too long")) == .delivered)
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
        let site = try Site(Server.Limits(request: .milliseconds(400), body: 1000), tcp: tcp)
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
        // The answer, then the end: whoever looks before it reuses a connection finds this one closed.
        let (reading, isClosed) = site.read(2, from: client)
        #expect(reading.outputs == [utf8("too long")] && isClosed)
        // What it still sends is read as nothing, and is no reset for a while.
        for _ in 0..<3 {
            #expect(client.descriptor.send(request().span) == .bytes(request().count))
            #expect(site.quiet(1).isEmpty)
        }
        site.turns { site.server.connectionCount == 0 }
        #expect(site.server.connectionCount == 0 && site.events.isEmpty)
    }

    @Test func `a body over the limit that stalls is answered when its time is over`() throws {
        let site = try Site(Server.Limits(request: .milliseconds(100), body: 1000))
        let client = try site.connectAndAccept()
        let head = begin() + stream(Kind.parameters, pair("A", "b")) + record(Kind.stdin, length: 1001)
        let event = try site.send(head, from: client)
        #expect(event.arrival == .tooLong(bodyLength: 1001) && event.parameters == [Parameter("A", "b")])
        #expect(site.server.answer(event.token, utf8("too long")))
        let (reading, isClosed) = site.read(2, from: client)
        #expect(reading.outputs == [utf8("too long")] && isClosed)
    }

    @Test func theLimitIsExact() throws {
        let site = try Site(Server.Limits(body: 1000))
        let client = try site.connectAndAccept()
        let event = try site.send(request(body: pattern(1000)), from: client)
        #expect(event.body == pattern(1000))
        #expect(site.server.answer(event.token, response))
        #expect(try site.send(request(body: pattern(1001)), from: client).arrival == .tooLong(bodyLength: 1001))
    }

    // MARK: Requests that do not lie whole in the socket

    @Test(arguments: [false, true])
    func `a request larger than the peer's send buffer is served`(tcp: Bool) throws {
        let site = try Site(Server.Limits(request: .seconds(60)), tcp: tcp)
        let client = try site.connectAndAccept()
        client.descriptor.set(SO_SNDBUF, at: SOL_SOCKET, to: 4096)
        for (size, record) in [(60_000, 65_535), (131_072, 8184), (10_000, 1), (10, 1)] {
            let event = try site.send(request(pair("A", "b"), body: pattern(size), size: record), from: client)
            #expect(event.body == pattern(size) && event.parameters == [Parameter("A", "b")])
            #expect(site.server.delivery(event.token, response) == .delivered)
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

    // MARK: Accepting

    @Test func `a listener that was set to block does not hold a turn`() throws {
        let site = try Site()
        _ = fcntl(site.listeningNumber, F_SETFL, 0)
        let client = try site.connectAndAccept()
        #expect(fcntl(site.listeningNumber, F_GETFL) & O_NONBLOCK != 0)
        // Set to block after it was looked at: accept(2) gives up by itself.
        _ = fcntl(site.listeningNumber, F_SETFL, 0)
        let listener = try Listener(try Descriptor.duplicate(site.listeningNumber))
        _ = fcntl(site.listeningNumber, F_SETFL, 0)
        let start = Instant.now
        guard case .nobody = listener.accept() else {
            Issue.record("somebody")
            return
        }
        #expect(Instant.now.since(start) < 1_000_000_000)
        #expect(try site.send(request(body: utf8("served")), from: client).body == utf8("served"))
    }

    @Test func `only the addresses that FCGI_WEB_SERVER_ADDRS names may connect`() throws {
        let open = try Site(tcp: true, webServers: "192.0.2.1,127.0.0.1")
        #expect(try open.send(request(body: utf8("x")), from: try open.connectAndAccept()).body == utf8("x"))
        let closed = try Site(tcp: true, webServers: "192.0.2.1")
        let client = try closed.connect()
        closed.turns { !closed.acceptProblems.isEmpty }
        #expect(closed.acceptProblems == [.refused(peer: "127.0.0.1")] && closed.server.connectionCount == 0)
        #expect(client.receive().isClosed)
        // It is about addresses: a unix socket has none.
        let unix = try Site(webServers: "192.0.2.1")
        #expect(try unix.send(request(body: utf8("x")), from: try unix.connectAndAccept()).body == utf8("x"))
        for bad in ["", "127.0.0.1,", "localhost", "1.2.3", "127.0.0.1;127.0.0.2"] {
            #expect(WebServerAddresses(bad) == nil)
        }
    }

    @Test func `connections that come and go leave no timers`() throws {
        let site = try Site()
        for _ in 0..<200 {
            let client = try site.connectAndAccept()
            client.close()
            site.turns { site.server.connectionCount == 0 }
        }
        #expect(site.loop.timers.count <= 4)
    }

    // MARK: Ending

    @Test func `finishing closes idle connections and serves what is under way`() throws {
        let site = try Site()
        let idle = try site.connectAndAccept()
        let taken = try site.connectAndAccept()
        let event = try site.send(request(body: utf8("taken")), from: taken)
        let receiving = try site.connectAndAccept()
        receiving.send(Array(request(body: utf8("later")).dropLast(4)))
        #expect(site.quiet().isEmpty)
        let arriving = try site.connectAndAccept()
        arriving.send(request(body: utf8("unseen")))
        site.server.finish()
        #expect(idle.receive().isClosed && site.server.connectionCount == 3)
        #expect(site.server.answer(event.token, response))
        let (reading, isClosed) = site.read(2, from: taken)
        #expect(reading.outputs == [response] && isClosed)
        let unseen = try site.event()
        #expect(unseen.body == utf8("unseen"))
        #expect(site.server.answer(unseen.token, response))
        let last = try site.send(Array(request(body: utf8("later")).suffix(4)), from: receiving)
        #expect(last.body == utf8("later"))
        #expect(site.server.answer(last.token, response))
        #expect(site.server.connectionCount == 0)
    }

    // MARK: Descriptors

    @Test func aListenerListens() throws {
        let (near, far) = try makeSocketPair()
        defer { close(far) }
        let error = #expect(throws: SystemError.self) { _ = try Listener(Descriptor(owning: near)) }
        #expect(error?.code == EINVAL)
    }

    // The next two count or limit a whole process' descriptors, and so have one of their own.

    @Test func noDescriptorIsLeftOpen() async {
        await #expect(processExitsWith: .success) {
            let before = try openDescriptors()
            for round in 0..<40 {
                let site = try Site(Server.Limits(request: .milliseconds(5), idle: .milliseconds(5), body: 100))
                let clients = try (0..<8).map { _ in try site.connect() }
                clients[0].send(request(keep: round % 2 == 0))
                clients[1].send(request(body: pattern(round), keep: false))
                clients[2].send(request(body: pattern(101)))
                clients[3].send(Array(request().dropLast()))
                clients[4].send(utf8("no FastCGI at all"))
                clients[5].close()
                clients[6].send(Array(request().dropLast(3)))
                clients[6].close()
                for event in site.quiet(5) {
                    switch event.arrival {
                    case .request where round % 4 == 0: site.server.abandon(event.token)
                    case .request: _ = site.server.answer(event.token, pattern(10_000))
                    case .tooLong: _ = site.server.answer(event.token, utf8("long"))
                    case .dropped, .nothing: break
                    }
                }
                // Half of the rounds let the server go with connections on it.
                if round % 2 == 0 { site.turns { site.server.connectionCount == 0 } }
                #expect(round % 2 == 1 || site.server.connectionCount == 0)
            }
            // Swift's runtime may open one of its own meanwhile; one that is lost here is lost in every round.
            #expect(try openDescriptors() - before < 5)
        }
    }

    @Test func withoutDescriptorsItPausesAndGoesOn() async {
        await #expect(processExitsWith: .success) {
            let site = try Site()
            let waiting = try (0..<6).map { _ in try site.connect() }
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            #expect(unsafe getrlimit(resource, &limit) == 0)
            let before = limit.rlim_cur
            limit.rlim_cur = rlim_t(try openDescriptors())
            #expect(unsafe setrlimit(resource, &limit) == 0)
            site.turn()
            #expect(site.acceptProblems == [.exhausted(call: "accept4", code: EMFILE)])
            #expect(site.server.connectionCount <= 1)
            // It does not spin while it waits.
            #expect(site.loop.wait(until: .now + .milliseconds(30)) == 0)
            limit.rlim_cur = before
            #expect(unsafe setrlimit(resource, &limit) == 0)
            site.turns { site.server.connectionCount == waiting.count }
            #expect(site.server.connectionCount == waiting.count)
        }
    }
}

/// How many descriptors this process has open.
private func openDescriptors() throws(SystemError) -> Int {
    guard let directory = unsafe opendir("/proc/self/fd") else { throw SystemError("opendir") }
    defer { unsafe _ = closedir(directory) }
    var count = -3  // `.`, `..` and this directory's own.
    while unsafe readdir(directory) != nil { count += 1 }
    return count
}
