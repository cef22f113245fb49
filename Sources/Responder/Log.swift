import Bytes
import Glibc
import JSON
import System

enum LogLevel: String, CaseIterable, Comparable {
    case debug, info, warning, error

    static func < (a: LogLevel, b: LogLevel) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        }
    }
}

enum LogFormat: String, CaseIterable { case json, text }

/// Writes one line per event, and batches the lines of one turn, or of several in quick succession, into one write. It
/// never waits for the log's reader.
///
/// Lines that find no room are dropped and counted; the count is logged when there is room again.
struct Log: ~Copyable {
    /// Bytes that wait to be written, at most.
    static let backlogLimit = 1_048_576
    /// Bytes that are worth a write of their own; fewer may wait for more, for as long as `delay`.
    static let worthwhile = 32_768
    static let delay = Nanoseconds.milliseconds(10)
    /// How long a reader that takes nothing, or a disk that is full, is left alone, at most.
    static let longestDelay = Nanoseconds.milliseconds(500)

    let level: LogLevel
    let format: LogFormat
    private var sink: LogSink
    private var buffer: [UInt8] = []
    private var written = 0
    private var dropped = 0
    private var droppedUntold = 0
    private var lineStart = 0
    private var hasFailed = false
    /// How long to wait until the next write; longer after each that handed on nothing.
    private var retryDelay = Log.delay
    /// When what has gathered is to be written.
    private(set) var due = Instant.never
    /// When this turn is, RFC 3339.
    var time: [UInt8] = []

    init(level: LogLevel, format: LogFormat, sink: consuming LogSink) {
        self.level = level
        self.format = format
        self.sink = sink
    }

    /// Bytes that are held.
    var size: Int { buffer.count }
    private var hasBacklog: Bool { written < buffer.count }

    // MARK: Lines

    /// Begins a line. Returns false where the level is not logged: then nothing may be added.
    mutating func begin(_ level: LogLevel, _ message: String? = nil) -> Bool {
        guard level >= self.level else { return false }
        lineStart = buffer.count
        let time = time
        switch format {
        case .json:
            buffer.append(#"{"time":""#)
            buffer.append(time.span)
            buffer.append(#"","level":""#)
            buffer.append(text: level.rawValue)
            buffer.append(.quote)
            if let message {
                buffer.append(#","message":"#)
                buffer.append(jsonString: message)
            }
        case .text:
            buffer.append(time.span)
            buffer.append(.space)
            buffer.append(text: level.rawValue.uppercased())
            if let message {
                buffer.append(.space)
                // One line each, whatever a setting such as the queue's key holds.
                buffer.append(contentsOf: message.utf8.lazy.map { $0.isControl ? .space : $0 })
            }
        }
        return true
    }

    private mutating func appendName(_ name: StaticString) {
        switch format {
        case .json: buffer.append(#",""#, name, #"":"#)
        case .text: buffer.append(" ", name, "=")
        }
    }

    /// Adds a text; an empty one is left out.
    mutating func add(_ name: StaticString, _ value: [UInt8]) {
        guard !value.isEmpty else { return }
        appendName(name)
        if format == .json { buffer.append(jsonString: value.span) } else { buffer.append(value.span) }
    }

    /// Adds a text of characters that JSON does not escape, such as an id that was checked; an empty one is left out.
    mutating func add(_ name: StaticString, plain value: [UInt8]) {
        guard !value.isEmpty else { return }
        appendName(name)
        if format == .json { buffer.append(#"""#, value.span, #"""#) } else { buffer.append(value.span) }
    }

    /// Adds what somebody else sent, a short text of which nothing is known; other bytes than visible ASCII become `?`.
    mutating func add(_ name: StaticString, unchecked value: [UInt8]) {
        add(name, value.map { $0.isVisibleASCII ? $0 : UInt8(ascii: "?") })
    }

    mutating func add(_ name: StaticString, _ value: StaticString) {
        appendName(name)
        if format == .json { buffer.append(.quote) }
        buffer.append(value)
        if format == .json { buffer.append(.quote) }
    }

    mutating func add(_ name: StaticString, text value: String) {
        appendName(name)
        // Quoted in either format: it may have spaces.
        buffer.append(jsonString: value)
    }

    mutating func add(_ name: StaticString, number: Int) {
        appendName(name)
        buffer.append(decimal: number)
    }

    /// Adds a length of time in milliseconds, to the microsecond.
    mutating func add(_ name: StaticString, milliseconds nanoseconds: UInt64) {
        appendName(name)
        buffer.append(decimal: nanoseconds / 1_000_000)
        buffer.append(UInt8(ascii: "."))
        buffer.append(decimal: Int(nanoseconds / 1000 % 1000), width: 3)
    }

    mutating func end() {
        if format == .json { buffer.append(UInt8(ascii: "}")) }
        buffer.append(.lineFeed)
        guard buffer.count - written > Log.backlogLimit else { return }
        buffer.removeLast(buffer.count - lineStart)
        dropped += 1
        droppedUntold += 1
    }

    /// A whole line that is nothing but a message.
    mutating func line(_ level: LogLevel, _ message: String) {
        guard begin(level, message) else { return }
        end()
    }

    /// Lines that were dropped since the last call.
    mutating func takeDropped() -> Int {
        defer { dropped = 0 }
        return dropped
    }

    // MARK: Writing

    /// At the end of a turn: hands on what has gathered, where that is much, or has waited long enough.
    mutating func turnEnded(at now: Instant) {
        guard hasBacklog else { return }
        if due == .never { due = now + Log.delay }
        guard now >= due || (buffer.count - written >= Log.worthwhile && !hasFailed) else { return }
        let before = written
        flush()
        let isStuck = hasBacklog && written == before
        retryDelay = isStuck ? min(Nanoseconds(2 * retryDelay.count), Log.longestDelay) : Log.delay
        due = hasBacklog ? now + retryDelay : .never
    }

    /// Hands on what has gathered, as far as it is taken.
    mutating func flush() {
        guard hasBacklog else { return }
        switch sink.write(buffer, from: &written) {
        case .written, .busy: hasFailed = false
        case .failed: hasFailed = true
        case .broken:
            // Nobody will ever read it: nothing is gathered for a reader that has gone.
            let lines = buffer[written...].count { $0 == .lineFeed }
            dropped += lines
            written = buffer.count
        }
        guard !hasBacklog else {
            // A reader that keeps up the pace but never catches up.
            if written >= Log.backlogLimit {
                buffer.removeFirst(written)
                written = 0
            }
            return
        }
        buffer.removeAll(keepingCapacity: buffer.capacity <= Log.backlogLimit)
        written = 0
        guard droppedUntold > 0 else { return }
        let count = droppedUntold
        droppedUntold = 0
        line(.warning, "\(count) log lines were dropped: the log's reader is too slow, or its disk is full")
    }

    /// Hands on what has gathered before the process ends, where that takes less than half a second: another process may
    /// be writing just now, or a reader be a little behind.
    mutating func flushAtEnd() {
        let end = Instant.now + .milliseconds(500)
        flush()
        while hasBacklog && !hasFailed && .now < end {
            usleep(2000)
            flush()
        }
    }

    /// Reopens the log file, so that one that was renamed can be taken away. Returns the error where that failed; then
    /// the old file is kept.
    mutating func reopen() -> SystemError? { sink.reopen() }
}
