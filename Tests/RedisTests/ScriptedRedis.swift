import EventLoop
import Glibc
import RESP
import TestSupport
import Testing

@testable import Redis

/// A Redis that does what a test says, on a unix socket, in the test's own thread.
final class ScriptedRedis {
    let path: String
    private let directory: String
    private var listener: Int32
    private var peers: [Int32] = []
    private var buffers: [[UInt8]] = []
    /// The whole commands that came on each connection.
    private var received: [[[[UInt8]]]] = []

    /// Answers to the greeting, and to pushes, where no test answers by itself.
    var answersGreeting = true
    var answersPushes = true
    /// Nothing is read while this holds.
    var isDeaf = false
    var greetingReply: ((String) -> String)?
    private(set) var depth = 0

    init() throws {
        var template = Array("/tmp/scripted-XXXXXX".utf8CString)
        directory = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)!) }
        path = directory + "/redis.sock"
        listener = -1
        try listen()
    }

    deinit {
        stop()
        unsafe rmdir(directory)
    }

    func listen() throws {
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
        try #require(Glibc.listen(listener, 64) == 0)
    }

    /// Closes everything, as if it had been killed.
    func stop() {
        for index in peers.indices { hangUp(index) }
        if listener >= 0 { close(listener) }
        listener = -1
        unsafe unlink(path)
    }

    func hangUp(_ index: Int) {
        guard peers[index] >= 0 else { return }
        close(peers[index])
        peers[index] = -1
    }

    var connectionCount: Int { peers.count { $0 >= 0 } }
    var accepted: Int { peers.count }

    /// The commands of a connection but the greeting's.
    func pushes(_ index: Int = 0) -> [[[UInt8]]] {
        guard index < received.count else { return [] }
        return received[index].filter { !["AUTH", "SELECT", "CLIENT", "PING"].contains(word($0)) }
    }

    func names(_ index: Int) -> [String] { index < received.count ? received[index].map(word) : [] }

    private func word(_ command: [[UInt8]]) -> String { String(decoding: command[0], as: UTF8.self) }

    func send(_ text: String, on index: Int = 0) {
        let bytes = Array(text.utf8)
        _ = unsafe Glibc.send(peers[index], bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Accepts, reads, and answers what it answers by itself.
    func step() {
        guard listener >= 0, !isDeaf else { return }
        while true {
            let peer = accept(listener, nil, nil)
            guard peer >= 0 else { break }
            _ = fcntl(peer, F_SETFL, O_NONBLOCK)
            peers.append(peer)
            buffers.append([])
            received.append([])
        }
        for index in peers.indices where peers[index] >= 0 { read(index) }
    }

    private func read(_ index: Int) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(peers[index], &chunk, chunk.count, 0)
            guard count > 0 else {
                if count == 0 { hangUp(index) }
                break
            }
            buffers[index] += chunk[..<count]
        }
        // A command is an array of bulk strings, as a reply may be.
        var parser = ReplyParser()
        let buffer = buffers[index]
        while let reply = try? parser.next(in: buffer.span), case .array(let parts?) = reply {
            let command = parts.map { part -> [UInt8] in if case .bulk(let bytes?) = part { bytes } else { [] } }
            received[index].append(command)
            answer(command, on: index)
        }
        buffers[index].removeFirst(parser.consumed)
    }

    private func answer(_ command: [[UInt8]], on index: Int) {
        let name = word(command)
        switch name {
        case "AUTH", "SELECT", "CLIENT", "PING":
            guard answersGreeting else { return }
            send(greetingReply?(name) ?? (name == "PING" ? "+PONG\r\n" : "+OK\r\n"), on: index)
        case "LPUSH", "EVALSHA", "EVAL":
            guard answersPushes else { return }
            depth += 1
            send(":\(depth)\r\n", on: index)
        default: break
        }
    }
}

/// A pool on a loop, with the Redis that it talks to and all that came of its pushes.
final class Rig {
    let loop: EventLoop
    let redis: ScriptedRedis
    let pool: Pool
    var results: [(waiter: UInt64, result: PushResult)] = []
    var events: [PoolEvent] = []

    static let kind: UInt8 = 3

    init(_ redis: ScriptedRedis, _ change: (inout Pool.Settings) -> Void = { _ in }) throws {
        self.redis = redis
        loop = try EventLoop()
        var settings = Pool.Settings(address: try Address("unix://" + redis.path))
        settings.connectTimeout = .milliseconds(150)
        settings.replyTimeout = .milliseconds(150)
        settings.retryDelay = .milliseconds(20)
        settings.pushDeadline = .milliseconds(600)
        change(&settings)
        pool = try Pool(settings: settings, in: loop, kinds: (Rig.kind, 4))
    }

    func turn() {
        redis.step()
        let count = loop.wait(until: .now + .milliseconds(2))
        for index in 0..<count {
            let (token, readiness) = loop.event(index)
            if token.kind == Rig.kind { pool.event(token, readiness) } else { pool.resolverEvent() }
        }
        while let token = loop.due() { pool.timer(token) }
        pool.flush()
        pool.takeCompletions { results.append(($0.waiter, $0.result)) }
        events += pool.events
        pool.events = []
    }

    /// Takes turns until something holds. Returns whether it ever did, within two seconds.
    @discardableResult
    func turns(until holds: () -> Bool) -> Bool {
        let end = Instant.now + .seconds(2)
        while Instant.now < end {
            turn()
            if holds() { return true }
        }
        return false
    }

    func ready() { #expect(turns { pool.isUsable }) }

    @discardableResult
    func push(_ job: String, _ waiter: UInt64 = 1, mark: Mark? = nil) -> PushRefusal? {
        pool.push(Array(job.utf8).span, mark: mark, waiter: waiter)
    }

    func result(_ waiter: UInt64 = 1) -> PushResult? { results.first { $0.waiter == waiter }?.result }
}

let sampleMark = Mark(key: utf8("{q}:seen:t:1"), value: utf8("id:digest"))
