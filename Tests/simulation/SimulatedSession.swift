import RESP
import TestSupport

/// What a server knows of one connection.
final class SimulatedSession {
    unowned let server: SimulatedRedis
    unowned let link: Link
    private let tls: MemoryTLSServer?
    /// What has arrived and was not read.
    private var wire: [UInt8] = []
    private var input: [UInt8] = []
    /// Bytes that are still in the kernel's buffer.
    private var unread = 0
    private var parser = ReplyParser()
    private(set) var isClosed = false
    var isAsking = false
    /// Pushes since the last WAIT.
    var unconfirmed: [Int] = []
    private var lastJob = -1

    init(_ server: SimulatedRedis, _ link: Link) {
        self.server = server
        self.link = link
        tls = server.tlsContext.map { MemoryTLSServer($0) }
    }

    func receive(_ bytes: [UInt8]) {
        wire += bytes
        unread += bytes.count
        process()
    }

    /// Reads what has come, and executes what is whole.
    func process() {
        guard !server.isStalled, !isClosed, server.isUp else { return }
        if let tls, server.stallsHandshakes, !tls.isEstablished { return }
        link.wasRead(unread)
        unread = 0
        decrypt()
        sendRecords()
        let bytes = input
        // A command has the form of a reply: an array of bulk strings.
        while !isClosed, !server.isStalled, let reply = try? parser.next(in: bytes.span) {
            guard case .array(let elements?) = reply else { break }
            server.execute(elements.map { if case .bulk(let bytes?) = $0 { bytes } else { [] } }, for: self)
        }
        input.removeFirst(parser.consumed)
        parser.discardConsumed()
    }

    private func decrypt() {
        defer { wire.removeAll() }
        guard let tls else {
            input += wire
            return
        }
        tls.feed(wire)
        input += tls.read()
    }

    /// Sends what TLS has for the pool: replies, its part of a handshake, alerts.
    private func sendRecords() {
        guard var records = tls?.takeOutput(), !records.isEmpty else { return }
        if server.spoils && server.chance(3) { records[records.count / 2] ^= 1 }
        link.reply(records)
    }

    func takeAsking() -> Bool {
        defer { isAsking = false }
        return isAsking
    }

    func saw(_ job: Int) {
        server.oracle.arrived(job, after: lastJob)
        lastJob = job
    }

    /// Sends a push on to another node, or refuses it.
    func refuse(_ job: Int, _ reply: String) {
        if reply.contains("MOVED ") || reply.contains("ASK ") {
            server.oracle.redirected(
                job, isReadable: !reply.contains("?"), isMoved: reply.contains("MOVED "))
        }
        self.reply(reply, isError: true)
    }

    func reply(_ text: String, isError: Bool = false) {
        if isError { server.oracle.answeredError() }
        reply(Array(text.utf8))
    }

    func reply(_ bytes: [UInt8]) {
        guard !isClosed else { return }
        guard let tls else { return link.reply(bytes) }
        if server.chance(30) { tls.updateKeys() }
        guard server.endsDuringReplies else {
            tls.write(bytes)
            return sendRecords()
        }
        tls.write(Array(bytes.dropLast()))
        tls.end()
        sendRecords()
        hangUp()
    }

    func hangUp() {
        guard !isClosed else { return }
        isClosed = true
        link.end()
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        decrypt()
        for job in waitingJobs { server.oracle.lost(job) }
    }

    /// Jobs whose commands have come whole, and wait because the server stalls.
    private var waitingJobs: [Int] {
        var parser = ReplyParser()
        var jobs: [Int] = []
        let bytes = input
        while let reply = try? parser.next(in: bytes.span), case .array(let elements?) = reply {
            guard case .bulk(let name?) = elements[0],
                case .bulk(let job?) = elements.count > 5 ? elements[5] : elements.last
            else { continue }
            if ["LPUSH", "EVAL", "EVALSHA"].contains(String(decoding: name, as: UTF8.self)) {
                jobs.append(Job.number(of: job))
            }
        }
        return jobs
    }
}

/// A job is its number and padding: `17:zzzz`.
enum Job {
    static func bytes(_ number: Int, padding: Int) -> [UInt8] {
        Array("\(number):".utf8) + [UInt8](repeating: 0x7A, count: padding)
    }

    static func number(of bytes: [UInt8]) -> Int {
        var number = 0
        for byte in bytes {
            guard byte >= 0x30 && byte <= 0x39 else { break }
            number = number * 10 + Int(byte) - 0x30
        }
        return number
    }
}
