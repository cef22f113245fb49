import EventLoop
import FastCGI
import Glibc
import System
import TestSupport
import Testing

/// A web server's end of a connection.
final class Client {
    private(set) var descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    func send(_ bytes: [UInt8]) { _ = descriptor.send(bytes.span) }

    /// Everything that has arrived, and whether the server has closed.
    func receive() -> (bytes: [UInt8], isClosed: Bool) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            switch descriptor.receive(into: &buffer) {
            case .bytes(let count): bytes += buffer[..<count]
            case .wouldBlock: return (bytes, false)
            case .closed, .failed: return (bytes, true)
            }
        }
    }

    /// Everything that arrives until the server closes, for ten seconds at most. It may close a little late: a process that another
    /// test is just starting holds a copy of every descriptor until its exec.
    func receiveToEnd() -> (bytes: [UInt8], isClosed: Bool) {
        var bytes: [UInt8] = []
        let end = Instant.now + .seconds(10)
        while true {
            let (more, isClosed) = receive()
            bytes += more
            if isClosed || .now > end { return (bytes, isClosed) }
            usleep(1000)
        }
    }

    /// Shuts down the sending half.
    func shutDown() { shutdown(descriptor.number, Int32(SHUT_WR)) }

    func close() { descriptor = .none }
}

/// What a web server reads: the output of one request after another.
struct Reading: Equatable {
    private(set) var outputs: [[UInt8]] = []
    private(set) var isWellFormed = true
    private(set) var ids: Set<UInt16> = []

    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        var output: [UInt8] = []
        while !rest.isEmpty {
            let head = Array(rest.prefix(8))
            let length = head.count == 8 ? Int(head[4]) << 8 | Int(head[5]) : 0
            guard head.count == 8, head[0] == 1, rest.count >= 8 + length + Int(head[6]) else {
                isWellFormed = false
                return
            }
            ids.insert(UInt16(head[2]) << 8 | UInt16(head[3]))
            let content = rest.dropFirst(8).prefix(length)
            switch head[1] {
            case Kind.stdout: output += content
            case Kind.end:
                // Application status 0, FCGI_REQUEST_COMPLETE.
                if content.prefix(5) != [0, 0, 0, 0, 0] || length != 8 { isWellFormed = false }
                outputs.append(output)
                output = []
            default: if length > 0 { isWellFormed = false }
            }
            rest = rest.dropFirst(8 + length + Int(head[6]))
        }
        if !output.isEmpty { isWellFormed = false }
    }
}

/// An arrival that a server reported, with the parameters and the body that it then held.
struct Event: Equatable {
    let token: Token
    let arrival: Arrival
    var parameters: [Parameter] = []
    var body: [UInt8] = []
}

/// Limits that a test meets only if it says so.
func limits(
    request: Nanoseconds = .seconds(5), idle: Nanoseconds = .seconds(120), body: Int = 131_072
) -> Server.Limits { Server.Limits(request: request, idle: idle, body: body) }

/// A server on a real listening socket, with the loop that drives it.
final class Site {
    private static let ready: Void = initializeLibrary()

    let server: Server
    let loop: EventLoop
    let listeningNumber: Int32
    private let address: SocketAddress
    private let directory = TemporaryDirectory()
    private(set) var events: [Event] = []
    private(set) var acceptFailures: [AcceptFailure] = []

    init(_ limits: Server.Limits = limits(), tcp: Bool = false, webServers: String? = nil) throws {
        Site.ready
        let path = directory.path + "/socket"
        let listening = tcp ? ListeningSocket.loopback() : ListeningSocket.unix(path)
        listeningNumber = listening.number
        address = try #require(
            tcp
                ? SocketAddress.resolve(host: "127.0.0.1", port: listening.port, isNumeric: true).first
                : SocketAddress(unixPath: path))
        loop = try EventLoop()
        let allowed = webServers.flatMap { WebServerAddresses($0) }
        server = try Server(
            try Listener(Descriptor(owning: listening.number), webServers: allowed), in: loop, limits: limits)
    }

    // MARK: Clients

    /// Connects, without waiting for the server to accept.
    func connect() throws -> Client { Client(try address.connect()) }

    /// Connects, and lets the server accept.
    func connectAndAccept() throws -> Client {
        let count = server.connectionCount
        let client = try connect()
        turns { self.server.connectionCount > count }
        return client
    }

    // MARK: Turns

    /// Takes one turn of the loop.
    func turn(within delay: Nanoseconds = .milliseconds(20)) {
        let count = loop.wait(until: .now + delay)
        for index in 0..<count {
            let (token, readiness) = loop.event(index)
            if token.owner == .listener {
                acceptFailures += server.accept()
            } else {
                receive(token, readiness)
            }
        }
        while let token = loop.due() {
            if token.owner == .listener {
                acceptFailures += server.resumeAccepting()
            } else {
                var parameters: [Parameter] = []
                let overdue = server.timer(token) { parameters.append(Parameter($0, $1)) }
                if let (token, arrival) = overdue { note(token, arrival, parameters) }
            }
        }
    }

    func receive(_ token: Token, _ readiness: Readiness) {
        var parameters: [Parameter] = []
        let arrival = server.receive(token, readiness) { name, value in parameters.append(Parameter(name, value)) }
        note(token, arrival, parameters)
    }

    private func note(_ token: Token, _ arrival: Arrival, _ parameters: [Parameter] = []) {
        guard arrival != .nothing else { return }
        var body: [UInt8] = []
        if case .request(let length) = arrival { body = Array(server.body[..<length]) }
        events.append(Event(token: token, arrival: arrival, parameters: parameters, body: body))
    }

    /// Takes turns until a condition holds, for ten seconds at most.
    func turns(until condition: () -> Bool) {
        let end = Instant.now + .seconds(10)
        while !condition() && .now < end { turn() }
    }

    /// Takes turns until there is an event, and returns it.
    func event() throws -> Event {
        turns { !self.events.isEmpty }
        try #require(!events.isEmpty)
        return events.removeFirst()
    }

    /// Takes turns for a while in which nothing should happen; returns what happened.
    func quiet(_ count: Int = 3) -> [Event] {
        for _ in 0..<count { turn(within: .milliseconds(2)) }
        defer { events = [] }
        return events
    }

    // MARK: Exchanges

    /// Sends a request, in whatever pieces the socket takes it, and returns its event.
    func send(_ bytes: [UInt8], from client: Client) throws -> Event {
        var rest = bytes[...]
        let end = Instant.now + .seconds(10)
        while !rest.isEmpty && events.isEmpty && .now < end {
            switch client.descriptor.send(Array(rest).span) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: turn()
            case .closed, .failed: rest = []
            }
        }
        return try event()
    }

    /// Reads until so many requests are answered, or the server closes.
    func read(_ count: Int = 1, from client: Client) -> (reading: Reading, isClosed: Bool) {
        var bytes: [UInt8] = []
        let end = Instant.now + .seconds(10)
        while true {
            let (more, isClosed) = client.receive()
            bytes += more
            let reading = Reading(bytes)
            if isClosed || .now > end || (reading.isWellFormed && reading.outputs.count >= count) {
                return (reading, isClosed)
            }
            turn(within: .milliseconds(1))
        }
    }
}

extension Server {
    // For the macros, which take no spans.
    func answer(_ token: Token, _ bytes: [UInt8]) -> Bool { answer(token, with: bytes.span) }
}
