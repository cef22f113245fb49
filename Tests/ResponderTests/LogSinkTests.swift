import CLinux
import Foundation
import Glibc
import System
import TestSupport
import Testing

@testable import Responder

struct LogSinkTests {
    @Test func `a pipe that nobody reads does not block, and its lines stay whole`() throws {
        let pipe = try ReadPipe()
        var sink = LogSink(standardError: pipe.writing.number)
        let line = utf8(String(repeating: "y", count: 299) + "\n")
        let bytes = Array(repeatElement(line, count: 1000).joined())
        var offset = 0
        let start = Instant.now
        for _ in 0..<3 { _ = sink.write(bytes, from: &offset) }
        #expect(Instant.now.since(start) < 1_000_000_000)
        #expect(offset > 0 && offset < bytes.count && offset % 300 == 0)
        // A line of another process in between splits none of ours.
        let before = offset
        let read = pipe.read(before)
        #expect(read.count == before && read.last == 0x0A)
        try #require(pipe.writing.write(utf8("theirs\n").span) == .bytes(7))
        while offset < bytes.count {
            _ = sink.write(bytes, from: &offset)
            let more = pipe.read(65_536).text.split(separator: "\n")
            #expect(more.allSatisfy { $0.count == 299 || $0 == "theirs" })
        }
    }

    @Test func `a line longer than a pipe writes in one piece is written in full`() throws {
        let pipe = try ReadPipe()
        var sink = LogSink(standardError: pipe.writing.number)
        let bytes = utf8(String(repeating: "z", count: 10_000) + "\nshort\n")
        var offset = 0
        _ = sink.write(bytes, from: &offset)
        #expect(offset == bytes.count && pipe.read(65_536) == bytes)
    }

    @Test(arguments: [false, true])
    func `lines for a broken pipe are dropped and counted`(isBrokenBefore: Bool) throws {
        let pipe = try ReadPipe()
        if isBrokenBefore { pipe.closeReader() }
        var sink = LogSink(standardError: pipe.writing.number)
        pipe.closeReader()
        var offset = 0
        #expect(sink.write(utf8("lost\n"), from: &offset) == .broken && offset == 0)
        var log = Log(level: .info, format: .json, sink: sink)
        for _ in 0..<3 { log.line(.info, "lost") }
        log.flush()
        let size = log.size
        let dropped = log.takeDropped()
        #expect(size == 0 && dropped == 3)
    }

    @Test func `a socket is written to without blocking, and stays blocking for others`() throws {
        let (near, far) = try makeSocketPair()
        let writing = Descriptor(owning: near)
        let reading = Descriptor(owning: far)
        // The near end is blocking, also for others that share it.
        _ = fcntl(near, F_SETFL, 0)
        var sink = LogSink(standardError: writing.number)
        let bytes = [UInt8](repeating: 0x0A, count: 2_000_000)
        var offset = 0
        _ = sink.write(bytes, from: &offset)
        #expect(offset > 0 && offset < bytes.count)
        #expect(fcntl(near, F_GETFL) & O_NONBLOCK == 0)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        guard case .bytes = reading.receive(into: &chunk) else {
            Issue.record("nothing came")
            return
        }
        let before = offset
        _ = sink.write(bytes, from: &offset)
        #expect(offset > before)
    }

    /// As `2>FILE` and `2>>FILE` open it.
    @Test(arguments: [0, O_APPEND])
    func `a file that others also write to loses no line`(flags: Int32) throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/log"
        let number = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o600)
        let theirs = Descriptor(owning: number)
        try #require(theirs.write(utf8("before\n").span) == .bytes(7))
        var sink = LogSink(standardError: number)
        var offset = 0
        for round in 1...3 {
            offset = 0
            #expect(sink.write(utf8("ours \(round)\n"), from: &offset) == .written)
            try #require(theirs.write(utf8("theirs \(round)\n").span) == .bytes(9))
        }
        let lines = ["before"] + (1...3).flatMap { ["ours \($0)", "theirs \($0)"] }
        #expect(try readFile(path, limit: 1000).text == lines.joined(separator: "\n") + "\n")
    }

    @Test func `without standard error lines are discarded`() {
        var sink = LogSink(standardError: -1)
        var offset = 0
        _ = sink.write(utf8("x\n"), from: &offset)
        #expect(offset == 2)
        let fault = sink.reopen()
        #expect(fault == nil)
    }

    // It limits the files of a whole process, and so runs in one of its own.
    @Test func `a disk that fills up tears no line, of ours or of another process`() async {
        await #expect(processExitsWith: .success) {
            ignoreFileSizeSignal()
            let directory = TemporaryDirectory()
            let path = "\(directory.path)/log"
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
            #expect(unsafe getrlimit(resource, &limit) == 0)
            var ours = try LogSink(path: path)
            var others = try LogSink(path: path)
            let lines = [
                utf8(String(repeating: "a", count: 99) + "\n"), utf8(String(repeating: "b", count: 149) + "\n"),
            ]
            let texts = lines.map { Array(repeatElement($0, count: 100).joined()) }
            var offsets = [0, 0]
            for size in [130, 1030, 1190, 5000, 30_000] {
                limit.rlim_cur = rlim_t(size)
                #expect(unsafe setrlimit(resource, &limit) == 0)
                for _ in 0..<2 {
                    _ = ours.write(texts[0], from: &offsets[0])
                    _ = others.write(texts[1], from: &offsets[1])
                }
                let written = try readFile(path, limit: 100_000)
                #expect(written.count <= size && written.last == 0x0A)
                #expect(offsets[0] % 100 == 0 && offsets[1] % 150 == 0)
            }
            let written = try readFile(path, limit: 100_000).split(separator: 0x0A).map { Array($0) }
            #expect(offsets == texts.map(\.count))
            #expect(written.filter { $0 == Array(lines[0].dropLast()) }.count == 100)
            #expect(written.filter { $0 == Array(lines[1].dropLast()) }.count == 100 && written.count == 200)
        }
    }

    @Test func `a line waits while another process holds the file's lock`() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/log"
        let other = try Descriptor.append(to: path)
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        try #require(unsafe fcntl(other.number, OFD_SETLK, &lock) == 0)
        var sink = try LogSink(path: path)
        var offset = 0
        #expect(sink.write(utf8("waits\n"), from: &offset) == .busy && offset == 0)
        lock.l_type = Int16(F_UNLCK)
        try #require(unsafe fcntl(other.number, OFD_SETLK, &lock) == 0)
        #expect(sink.write(utf8("waits\n"), from: &offset) == .written && offset == 6)
    }

    @Test func `the last lines wait for another process to release the file's lock`() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/log"
        let other = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        try #require(unsafe fcntl(other, OFD_SETLK, &lock) == 0)
        var log = Log(level: .info, format: .json, sink: try LogSink(path: path))
        log.line(.info, "last")
        var work = try BackgroundWork<Void>()
        #expect(
            work.start {
                usleep(50_000)
                close(other)
            })
        log.flushAtEnd()
        #expect(try readFile(path, limit: 1000).text.contains("last"))
    }

    @Test func `after a failed write the next attempt waits, up to a longest delay`() throws {
        var log = Log(level: .info, format: .json, sink: try LogSink(path: "/dev/full"))
        let now = Instant(nanoseconds: 1_000)
        log.line(.info, "one")
        log.turnEnded(at: now)
        log.turnEnded(at: now + Log.delay)
        #expect(log.due == now + Log.delay + .milliseconds(20))
        log.line(.info, String(repeating: "x", count: Log.worthwhile))
        log.turnEnded(at: now + Log.delay + .milliseconds(19))
        #expect(
            log.due == now + Log.delay + .milliseconds(20),
            "after a failure a large backlog does not hasten the next attempt")
        for _ in 0..<10 { log.turnEnded(at: log.due) }
        let last = log.due
        log.turnEnded(at: last)
        #expect(log.due == last + Log.longestDelay)
    }

    @Test func `a file that cannot be opened is an error`() {
        #expect(throws: SystemError.self) { _ = try LogSink(path: "/no/such/directory/log") }
    }
}
