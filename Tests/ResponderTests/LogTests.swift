import Foundation
import Glibc
import System
import TestSupport
import Testing

@testable import Responder

/// A log and the file that it writes to.
private final class Logged {
    private let directory = TemporaryDirectory()
    var log: Log
    var path: String { "\(directory.path)/log" }

    init(_ format: LogFormat = .json, level: LogLevel = .info) throws {
        let sink = try LogSink(path: "\(directory.path)/log")
        log = Log(level: level, format: format, sink: sink)
        log.time = utf8("2026-11-24T10:00:00.000000Z")
    }

    /// The lines of a file; of the log itself if none is named.
    func lines(of name: String = "log") throws -> [String] {
        try readFile("\(directory.path)/\(name)", limit: 100_000_000).text.split(separator: "\n").map(String.init)
    }

    func lines() throws -> [String] {
        log.flush()
        return try lines(of: "log")
    }

    func rename(to name: String) { unsafe Glibc.rename(path, "\(directory.path)/\(name)") }

    /// Begins a line that the level allows.
    func begin(_ level: LogLevel, _ message: String? = nil) {
        if !log.begin(level, message) { Issue.record("\(level) is not logged") }
    }
}

/// A pipe that is read only when a test says so.
final class ReadPipe {
    private var reading: Descriptor
    let writing: Descriptor

    init() throws {
        var ends: [Int32] = [-1, -1]
        let result = unsafe pipe(&ends)
        reading = Descriptor(owning: ends[0])
        writing = Descriptor(owning: ends[1])
        try #require(result == 0)
        // A broken pipe must not kill the tests; the program ignores SIGPIPE itself.
        signal(SIGPIPE, SIG_IGN)
    }

    func closeReader() { reading = .none }

    func read(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let taken = unsafe Glibc.read(reading.number, &bytes, count)
        return Array(bytes.prefix(max(0, taken)))
    }
}

private func object(_ line: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
}

struct LogTests {
    @Test func `a line is one JSON object`() throws {
        let logged = try Logged()
        logged.begin(.error, "it's \"broken\"\n")
        logged.log.add("request_id", utf8("a\"b\\c"))
        logged.log.add("empty", [])
        logged.log.add("reason", "accepted")
        logged.log.add("error", text: "\u{0}\u{1f}\u{7f}é😀\u{2028}")
        logged.log.add("status", number: 503)
        logged.log.add("milliseconds", milliseconds: 1_234_567)
        logged.log.end()
        let line = try #require(try logged.lines().first)
        let object = try object(line)
        #expect(object["time"] as? String == "2026-11-24T10:00:00.000000Z" && object["level"] as? String == "error")
        #expect(object["message"] as? String == "it's \"broken\"\n" && object["request_id"] as? String == "a\"b\\c")
        #expect(object["empty"] == nil && object["reason"] as? String == "accepted")
        #expect(object["error"] as? String == "\u{0}\u{1f}\u{7f}é😀\u{2028}" && object["status"] as? Int == 503)
        #expect(line.hasSuffix(#""status":503,"milliseconds":1.234}"#))
    }

    @Test(arguments: [
        (0, "0.000"), (999, "0.000"), (1000, "0.001"), (999_999, "0.999"), (1_000_000, "1.000"), (1_050_000, "1.050"),
        (60_000_000_000, "60000.000"), (UInt64.max, "18446744073709.551"),
    ])
    func `milliseconds have three decimals`(nanoseconds: UInt64, text: String) throws {
        let logged = try Logged()
        logged.begin(.info)
        logged.log.add("ms", milliseconds: nanoseconds)
        logged.log.end()
        #expect(try logged.lines()[0].hasSuffix("\"ms\":\(text)}"))
    }

    @Test func `a message is one line in the text format, too`() throws {
        let logged = try Logged(.text)
        logged.log.line(.warning, "queue\n2026 INFO\u{1B}[31m é holds plain jobs")
        #expect(try logged.lines() == ["2026-11-24T10:00:00.000000Z WARNING queue 2026 INFO [31m é holds plain jobs"])
    }

    @Test func `the text format has time, level, message and key=value pairs`() throws {
        let logged = try Logged(.text)
        logged.begin(.warning, "careful")
        logged.log.add("tenant_id", utf8("acme"))
        logged.log.add("empty", [])
        logged.log.add("status", number: -400)
        logged.log.add("error", text: "two \"words\"\nand a line")
        logged.log.end()
        logged.log.line(.info, "next")
        let first = #"2026-11-24T10:00:00.000000Z WARNING careful tenant_id=acme status=-400"#
        #expect(
            try logged.lines() == [
                first + #" error="two \"words\"\nand a line""#, "2026-11-24T10:00:00.000000Z INFO next",
            ])
    }

    @Test(arguments: LogLevel.allCases)
    func `lines below the log level are not logged`(level: LogLevel) throws {
        let logged = try Logged(level: level)
        for other in LogLevel.allCases { logged.log.line(other, other.rawValue) }
        let expected = LogLevel.allCases.drop { $0 != level }.map(\.rawValue)
        #expect(try logged.lines().map { try object($0)["message"] as? String } == expected)
    }

    /// Whatever a peer sends, a line stays one line that a machine can read.
    @Test(arguments: LogFormat.allCases)
    func `no logged value breaks a line`(format: LogFormat) throws {
        let logged = try Logged(format)
        var random = SplitMix64(seed: 8)
        var numbers: [Int] = []
        for _ in 0..<2000 {
            logged.begin(.info, "request")
            logged.log.add("remote_addr", unchecked: random.bytes(1 + random.below(64)))
            logged.log.add("error", text: random.bytes(random.below(40)).text)
            numbers.append(Int(truncatingIfNeeded: random.next()))
            logged.log.add("n", number: numbers.last!)
            logged.log.end()
        }
        let lines = try logged.lines()
        #expect(lines.count == 2000)
        for (line, number) in zip(lines, numbers) {
            #expect(line.utf8.allSatisfy { $0 >= 0x20 })
            #expect(line.hasSuffix(format == .json ? ",\"n\":\(number)}" : " n=\(number)"))
            if format == .json { #expect(try object(line).count == 6) }
        }
    }

    @Test func `reopening leaves a renamed file alone and begins a new one`() throws {
        let logged = try Logged()
        logged.log.line(.info, "before")
        logged.log.flush()
        logged.rename(to: "log.1")
        logged.log.line(.info, "still to the old one")
        logged.log.flush()
        let fault = logged.log.reopen()
        #expect(fault == nil)
        logged.log.line(.info, "after")
        #expect(try logged.lines().map { try object($0)["message"] as? String } == ["after"])
        #expect(try logged.lines(of: "log.1").count == 2)
    }

    @Test func `a log that cannot be reopened goes on in its old file`() throws {
        let logged = try Logged()
        logged.rename(to: "log.1")
        // A directory in its place cannot be appended to.
        try #require(unsafe mkdir(logged.path, 0o700) == 0)
        defer { unsafe rmdir(logged.path) }
        let fault = logged.log.reopen()
        #expect(fault.map { "\($0)" }?.hasPrefix("open: ") == true)
        logged.log.line(.info, "kept")
        logged.log.flush()
        #expect(try logged.lines(of: "log.1").count == 1)
    }

    @Test func `on a full disk lines beyond the backlog are dropped and counted`() throws {
        var log = Log(level: .info, format: .json, sink: try LogSink(path: "/dev/full"))
        let text = String(repeating: "x", count: 1000)
        for _ in 0..<2000 {
            log.line(.info, text)
            log.flush()
        }
        let dropped = log.takeDropped()
        let again = log.takeDropped()
        #expect(dropped > 900 && dropped < 1100 && again == 0)
    }

    @Test func `the number of dropped lines is logged once there is room again`() throws {
        let pipe = try ReadPipe()
        var log = Log(level: .info, format: .json, sink: LogSink(standardError: pipe.writing.number))
        let text = String(repeating: "x", count: 900)
        for _ in 0..<1500 { log.line(.info, text) }
        let dropped = log.takeDropped()
        #expect(dropped > 100)
        var read: [UInt8] = []
        // Each flush fills the pipe, each read empties it.
        for _ in 0..<100 {
            log.flush()
            read += pipe.read(65_536)
            if read.text.contains("were dropped") { break }
        }
        let lines = read.text.split(separator: "\n").map(String.init)
        #expect(lines.count == 1500 - dropped + 1)
        for line in lines { _ = try object(line) }
        let told = try object(try #require(lines.last))
        #expect((told["message"] as? String)?.hasPrefix("\(dropped) log lines were dropped") == true)
        #expect(told["level"] as? String == "warning")
    }

    /// A reader that keeps pace but never catches up.
    @Test func `a reader that never catches up costs a bounded amount of memory`() throws {
        let pipe = try ReadPipe()
        var log = Log(level: .info, format: .json, sink: LogSink(standardError: pipe.writing.number))
        let text = String(repeating: "x", count: 900)
        for _ in 0..<800 { log.line(.info, text) }
        var most = 0
        for _ in 0..<400 {
            for _ in 0..<40 { log.line(.info, text) }
            log.flush()
            _ = pipe.read(40 * 960)
            most = max(most, log.size)
        }
        #expect(log.takeDropped() < 16_000, "most are written")
        #expect(most < 3 * Log.backlogLimit)
    }

    @Test func `a few lines wait for more, and many are written at once`() throws {
        let logged = try Logged()
        let now = Instant(nanoseconds: 1_000)
        logged.log.turnEnded(at: now)
        #expect(logged.log.due == .never, "nothing to write")
        logged.log.line(.info, "one")
        logged.log.turnEnded(at: now)
        #expect(logged.log.due == now + Log.delay)
        logged.log.line(.info, "two")
        logged.log.turnEnded(at: now + .milliseconds(9))
        #expect(logged.log.due == now + Log.delay, "the first line does not wait longer for the second")
        #expect(try logged.lines(of: "log").isEmpty)
        logged.log.turnEnded(at: now + Log.delay)
        #expect(try logged.lines(of: "log").count == 2 && logged.log.due == .never)
        logged.log.line(.info, String(repeating: "x", count: Log.worthwhile))
        logged.log.turnEnded(at: now)
        #expect(try logged.lines(of: "log").count == 3 && logged.log.due == .never)
    }
}
