import EventLoop
import FastCGI
import Glibc
import TestSupport
import Testing

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
            ("GET_VALUES", record(Kind.getValues, id: 0), .recordType),
            (
                "GET_VALUES with many of one name",
                record(Kind.getValues, Array(repeating: pair("FCGI_MPXS_CONNS", ""), count: 6).flatMap { $0 }, id: 0),
                .recordType
            ),
            ("lengths of 1 GiB", request([0xC0, 0, 0, 0, 0xC0, 0, 0, 0] + utf8("xx"), body: [1]), .parameterLength),
            (
                "padding on an empty PARAMS", begin() + record(Kind.parameters, padding: 8) + record(Kind.stdin),
                .padding
            ),
            ("padding on an empty STDIN", begin() + record(Kind.parameters) + record(Kind.stdin, padding: 8), .padding),
            ("two at once", request() + request(), .bytesBehindRequest),
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

    @Test func whatCannotFitTheSocketIsRefusedNotAwaited() throws {
        let site = try Site(Server.Limits(body: 100))
        let client = try site.connectAndAccept()
        // Padding is not limited by what it pads: 255 bytes for each of up to 256 records.
        let records = (0..<240).flatMap { _ in record(Kind.parameters, [UInt8](repeating: 0, count: 260), padding: 255)
        }
        #expect(try site.send(begin() + records, from: client).arrival == .dropped(.fault(.requestTooLong)))
        expectClosed(client, by: site)
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
        #expect(!site.server.arrivedEarly(event.token))
        #expect(site.server.answer(event.token, response))
        #expect(site.server.arrivedEarly(event.token))
        #expect(!site.server.arrivedEarly(event.token))
        site.receive(event.token, .readable)
        let second = try site.event()
        #expect(second.body == utf8("second"))
        #expect(site.server.answer(second.token, response))
        #expect(site.read(2, from: client).reading.outputs == [response, response])
    }

    // MARK: Too long

    @Test(arguments: [false, true])
    func aTooLongBodyIsAnsweredThoughItIsStillOnItsWay(tcp: Bool) throws {
        let site = try Site(Server.Limits(body: 1000), tcp: tcp)
        let client = try site.connectAndAccept()
        let bytes = request(pair("A", "b"), body: pattern(400_000), id: 300)
        let event = try site.send(bytes, from: client, answering: utf8("too long"))
        #expect(event.arrival == .tooLong(bodyLength: 32_768) && event.parameters == [Parameter("A", "b")])
        let (reading, _) = site.read(from: client)
        #expect(reading.outputs == [utf8("too long")] && reading.isWellFormed && reading.ids == [300])
        client.close()
        site.turns { site.server.connectionCount == 0 }
        #expect(site.server.connectionCount == 0 && site.events.isEmpty)
    }

    @Test func aTooLongBodyIsToldByItsHeaderAlone() throws {
        let site = try Site(Server.Limits(request: .milliseconds(400), body: 1000))
        let client = try site.connectAndAccept()
        let head = begin() + stream(Kind.parameters, pair("A", "b")) + record(Kind.stdin, length: 1001)
        let event = try site.send(head, from: client)
        #expect(event.arrival == .tooLong(bodyLength: 1001) && event.parameters == [Parameter("A", "b")])
        // It was not taken: there is no other answer to it.
        #expect(!site.server.answer(event.token, response))
        #expect(site.server.answerTooLong(event.token, utf8("too long")))
        #expect(site.read(from: client).reading.outputs == [utf8("too long")])
        // It may go on sending, which is not read as anything.
        for _ in 0..<3 {
            #expect(client.descriptor.send(request().span) == .bytes(request().count))
            #expect(site.quiet(1).isEmpty)
        }
        // Whoever stays is closed by and by.
        site.turns { site.server.connectionCount == 0 }
        #expect(site.server.connectionCount == 0 && site.events.isEmpty)
    }

    @Test func theLimitIsExact() throws {
        let site = try Site(Server.Limits(body: 1000))
        let client = try site.connectAndAccept()
        let event = try site.send(request(body: pattern(1000)), from: client)
        #expect(event.body == pattern(1000))
        #expect(site.server.answer(event.token, response))
        #expect(try site.send(request(body: pattern(1001)), from: client).arrival == .tooLong(bodyLength: 1001))
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
                    case .tooLong: _ = site.server.answerTooLong(event.token, utf8("long"))
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
            #expect(site.acceptErrors.map(\.code) == [EMFILE] && site.server.connectionCount <= 1)
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
