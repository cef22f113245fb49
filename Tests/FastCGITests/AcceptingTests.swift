import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import FastCGI
@testable import System

/// Listeners, descriptors, and the end of a server.
struct AcceptingTests {
    private let response = utf8("Status: 202 Accepted\r\n\r\n{}")

    // MARK: Accepting

    @Test func `a listener that was set to block does not hold up a turn`() throws {
        let site = try Site()
        _ = fcntl(site.listeningNumber, F_SETFL, 0)
        let client = try site.connectAndAccept()
        #expect(fcntl(site.listeningNumber, F_GETFL) & O_NONBLOCK != 0)
        // Set to block after the check: accept(2) gives up by itself.
        _ = fcntl(site.listeningNumber, F_SETFL, 0)
        let listener = try Listener(try Descriptor.duplicate(site.listeningNumber))
        _ = fcntl(site.listeningNumber, F_SETFL, 0)
        let start = Instant.now
        guard case .nobody = listener.accept() else {
            Issue.record("a connection was accepted")
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
        closed.turns { !closed.acceptFailures.isEmpty }
        #expect(closed.acceptFailures == [.refused(peer: "127.0.0.1")] && closed.server.connectionCount == 0)
        #expect(client.receiveToEnd().isClosed)
        // The list is of addresses, and a unix socket has none.
        let unix = try Site(webServers: "192.0.2.1")
        #expect(try unix.send(request(body: utf8("x")), from: try unix.connectAndAccept()).body == utf8("x"))
        for bad in ["", "127.0.0.1,", "localhost", "1.2.3", "127.0.0.1;127.0.0.2"] {
            #expect(WebServerAddresses(bad) == nil)
        }
    }

    @Test func `connections that come and go, and requests in pieces, leave no timers`() throws {
        let site = try Site(limits(request: .milliseconds(2)))
        for _ in 0..<200 {
            let client = try site.connectAndAccept()
            client.close()
            site.turns { site.server.connectionCount == 0 }
        }
        let kept = try site.connectAndAccept()
        for _ in 0..<200 {
            kept.send(Array(request().dropLast(4)))
            #expect(site.quiet(1).isEmpty)
            let event = try site.send(Array(request().suffix(4)), from: kept)
            guard case .request = event.arrival else { break }
            #expect(site.server.answer(event.token, utf8("Status: 200\r\n\r\n")))
            _ = kept.receive()
            for _ in 0..<3 { site.turn(within: .milliseconds(1)) }
        }
        #expect(site.loop.timers.count <= 4)
    }

    // It limits the descriptors of a whole process, and so runs in one of its own.
    @Test func `a listener that cannot be watched again is tried again`() async {
        await #expect(processExitsWith: .success) {
            let site = try Site()
            let waiting = try site.connect()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            var limit = rlimit()
            #expect(unsafe getrlimit(resource, &limit) == 0)
            let before = limit.rlim_cur
            limit.rlim_cur = rlim_t(lowestFreeDescriptor())
            #expect(unsafe setrlimit(resource, &limit) == 0)
            site.turns { !site.acceptFailures.isEmpty }
            limit.rlim_cur = before
            #expect(unsafe setrlimit(resource, &limit) == 0)
            // It is watched already, so that epoll_ctl(2) refuses.
            try site.loop.watch(site.listeningNumber, for: .closed, as: Token(.signals))
            site.turns { site.acceptFailures.count >= 3 }
            #expect(site.acceptFailures.dropFirst().allSatisfy { $0 == .exhausted(call: "epoll_ctl", code: EEXIST) })
            site.loop.unwatch(site.listeningNumber)
            site.turns { site.server.connectionCount == 1 }
            #expect(site.server.connectionCount == 1)
            waiting.close()
        }
    }

    @Test func `a listener that was shut down is reported once and no longer watched`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        shutdown(site.listeningNumber, Int32(SHUT_RDWR))
        site.turns { !site.acceptFailures.isEmpty }
        #expect(site.acceptFailures == [.dead(code: EINVAL)])
        // It does not wake the loop again, and connections go on.
        #expect(site.loop.wait(until: .now + .milliseconds(50)) == 0)
        #expect(try site.send(request(body: utf8("x")), from: client).body == utf8("x"))
    }

    // MARK: Ending

    @Test func `a finishing server closes a connection that only asked for values`() throws {
        let site = try Site()
        let client = try site.connectAndAccept()
        let ask = record(Kind.getValues, pair("FCGI_MPXS_CONNS", ""), id: 0)
        client.send(Array(ask[..<5]))
        #expect(site.quiet(1).isEmpty)
        site.server.finish()
        #expect(site.server.connectionCount == 1)
        client.send(Array(ask[5...]))
        site.turns { site.server.connectionCount == 0 }
        let (bytes, isClosed) = client.receiveToEnd()
        #expect(bytes.count > 8 && isClosed)
    }

    @Test func `a finishing server closes idle connections and serves requests in flight`() throws {
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
        #expect(idle.receiveToEnd().isClosed)
        #expect(site.server.connectionCount == 3)
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

    @Test func `a socket that does not listen is refused`() throws {
        let (near, far) = try makeSocketPair()
        defer { close(far) }
        let error = #expect(throws: SystemError.self) { _ = try Listener(Descriptor(owning: near)) }
        #expect(error?.code == EINVAL)
    }

    // The next two count or limit the descriptors of a whole process, and so run in one of their own.

    @Test func `a server leaves no descriptor open, however its connections end`() async {
        await #expect(processExitsWith: .success) {
            let before = try openDescriptors()
            for round in 0..<40 {
                let site = try Site(limits(request: .milliseconds(5), idle: .milliseconds(5), body: 100))
                let clients = try (0..<8).map { _ in try site.connect() }
                clients[0].send(request(keep: round % 2 == 0))
                clients[1].send(request(body: pattern(round), keep: false))
                clients[2].send(request(body: pattern(101)))
                clients[3].send(Array(request().dropLast()))
                clients[4].send(utf8("not FastCGI at all"))
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
                // In half of the rounds the server is released while it has connections.
                if round % 2 == 0 { site.turns { site.server.connectionCount == 0 } }
                #expect(round % 2 == 1 || site.server.connectionCount == 0)
            }
            // Swift's runtime may open some meanwhile; a leak here would add one in every round.
            #expect(try openDescriptors() - before < 5)
        }
    }

    @Test func `accepting pauses while no descriptors are left, and then goes on`() async {
        await #expect(processExitsWith: .success) {
            let site = try Site()
            let waiting = try (0..<6).map { _ in try site.connect() }
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            #expect(unsafe getrlimit(resource, &limit) == 0)
            let before = limit.rlim_cur
            limit.rlim_cur = rlim_t(lowestFreeDescriptor())
            #expect(unsafe setrlimit(resource, &limit) == 0)
            site.turn()
            #expect(site.acceptFailures == [.exhausted(call: "accept4", code: EMFILE)])
            #expect(site.server.connectionCount == 0)
            // It does not spin while it waits.
            #expect(site.loop.wait(until: .now + .milliseconds(30)) == 0)
            limit.rlim_cur = before
            #expect(unsafe setrlimit(resource, &limit) == 0)
            site.turns { site.server.connectionCount == waiting.count }
            #expect(site.server.connectionCount == waiting.count)
        }
    }
}

/// The number that the next descriptor will have. All below it are taken, so as a limit it leaves none, also where higher
/// ones are taken, too: a process that a test starts inherits some.
private func lowestFreeDescriptor() -> Int32 {
    let number = unsafe open("/dev/null", O_RDONLY)
    close(number)
    return number
}

/// How many descriptors this process has open.
private func openDescriptors() throws(SystemError) -> Int {
    guard let directory = unsafe opendir("/proc/self/fd") else { throw SystemError("opendir") }
    defer { unsafe _ = closedir(directory) }
    var count = -3  // `.`, `..` and this directory's own.
    while unsafe readdir(directory) != nil { count += 1 }
    return count
}
