import EventLoop
import Glibc
import RESP
import System
import TestSupport
import Testing

/// One connection, as Redis sees it.
final class Session {
    private var descriptor: Descriptor
    private var input: [UInt8] = []
    private var parser = ReplyParser()
    /// All that came, in bytes.
    private(set) var received: [UInt8] = []
    /// Whole commands that nobody has taken yet.
    private var commands: [[String]] = []
    /// Off, the kernel keeps what comes until it has no more room.
    var isReading = true
    /// Reads no more than so many bytes in all.
    var readLimit = Int.max
    /// The other end is gone.
    private(set) var isAbandoned = false
    private(set) var isClosed = false

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    var commandCount: Int { commands.count }

    /// Reads what there is.
    func read() throws {
        guard !isClosed else { return }
        noteEnd()
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while isReading && received.count < readLimit {
            if readLimit - received.count < chunk.count { chunk.removeLast(chunk.count - (readLimit - received.count)) }
            guard case .bytes(let count) = descriptor.receive(into: &chunk) else { break }
            received += chunk[..<count]
            input += chunk[..<count]
        }
        let bytes = input
        while case .array(let arguments?) = try parser.next(in: bytes.span) {
            commands.append(arguments.map { if case .bulk(let bytes?) = $0 { bytes.text } else { "?" } })
        }
        input.removeFirst(parser.consumed)
        parser.discardConsumed()
    }

    /// Whether the other end has closed, however much of what it wrote before is still unread.
    private func noteEnd() {
        var entry = pollfd(fd: descriptor.number, events: 0, revents: 0)
        if unsafe poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLHUP | POLLERR) != 0 { isAbandoned = true }
    }

    func takeCommand() -> [String]? { commands.isEmpty ? nil : commands.removeFirst() }

    func send(_ text: String) { send(utf8(text)) }

    func send(_ bytes: [UInt8]) {
        guard !isClosed else { return }
        _ = descriptor.send(bytes.span)
    }

    func close() {
        descriptor = .none
        isClosed = true
    }

    /// Segments with data that came over TCP (`tcpi_data_segs_in` of linux/tcp.h): writes of the peer, while they are small.
    var segments: Int {
        var info = [UInt8](repeating: 0, count: 256)
        var size = socklen_t(info.count)
        guard unsafe getsockopt(descriptor.number, Int32(IPPROTO_TCP), TCP_INFO, &info, &size) == 0, size >= 156 else {
            return -1
        }
        return unsafe info.withUnsafeBytes { Int(unsafe $0.loadUnaligned(fromByteOffset: 152, as: UInt32.self)) }
    }
}

/// A Redis that does what a test says, step by step, in the same thread as the loop that speaks to it.
final class ScriptedRedis {
    enum Place { case unix, loopback }

    private let directory: TemporaryDirectory
    private var listener = Descriptor.none
    private let path: String
    private(set) var port: UInt16 = 0
    /// Where it listens, without a database.
    let url: String
    /// Every connection that there has been.
    private(set) var sessions: [Session] = []
    /// Those that nobody has taken up yet.
    private var fresh: [Session] = []
    /// What it answers to a command on its own; nil is nothing.
    var answer: ((Session, [String]) -> String?)?
    /// What it does to a new connection.
    var welcome: ((Session) -> Void)?

    init(_ place: Place = .unix) throws {
        directory = TemporaryDirectory()
        path = "\(directory.path)/s"
        switch place {
        case .unix:
            url = "unix://\(path)"
            try start()
        case .loopback:
            let listening = ListeningSocket.loopback()
            port = listening.port
            url = "redis://127.0.0.1:\(port)"
            take(listening)
        }
    }

    /// Listens on its unix socket, again after `stop()`.
    func start() throws {
        unsafe unlink(path)
        take(ListeningSocket.unix(path))
    }

    private func take(_ listening: ListeningSocket) {
        listener = Descriptor(owning: listening.number)
        _ = fcntl(listener.number, F_SETFL, O_NONBLOCK)
    }

    /// Connections are refused from here on. Those that there are stay.
    func stop() {
        listener = .none
        unsafe unlink(path)
    }

    var isStopped: Bool { listener.number < 0 }

    /// Connections that neither end has closed.
    var openCount: Int { sessions.count { !$0.isClosed && !$0.isAbandoned } }

    /// Takes what has come: new connections, and on each its commands.
    func poll() throws {
        while listener.number >= 0 {
            let number = Glibc.accept(listener.number, nil, nil)
            guard number >= 0 else { break }
            _ = fcntl(number, F_SETFL, O_NONBLOCK)
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            // As Redis does: a second small reply must not wait for the first one's acknowledgement. Unix sockets refuse it.
            var isOn: Int32 = 1
            _ = unsafe setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, 4)
            let session = Session(Descriptor(owning: number))
            sessions.append(session)
            fresh.append(session)
            welcome?(session)
        }
        for session in sessions {
            try session.read()
            while let answer, let command = session.takeCommand() {
                if let reply = answer(session, command) { session.send(reply) }
            }
        }
    }

    /// The oldest connection that was not taken up.
    func takeSession() -> Session? { fresh.isEmpty ? nil : fresh.removeFirst() }
}
