import Bytes
import Glibc
import System

/// Records the processor time and memory of this process in its page of counters, at most every 100 ms. The process that
/// answers `/metrics` then reads no other process's /proc, and processor time stays counted after a process ends.
struct ProcessUsage {
    private static let interval = Nanoseconds.milliseconds(100)

    private var due = Instant(nanoseconds: 0)
    /// Microseconds of processor time that have been counted.
    private var counted = 0

    /// At the end of a turn.
    mutating func note(in metrics: Metrics, at now: Instant) {
        if now >= due { noteNow(in: metrics, at: now) }
    }

    mutating func noteNow(in metrics: Metrics, at now: Instant) {
        due = now + ProcessUsage.interval
        var usage = rusage()
        if unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            let spent = ProcessUsage.microseconds(usage.ru_utime) + ProcessUsage.microseconds(usage.ru_stime)
            metrics.add(.processorMicroseconds, max(0, spent - counted))
            counted = max(counted, spent)
        }
        metrics.set(.residentBytes, ProcessUsage.residentBytes ?? 0)
    }

    private static func microseconds(_ time: timeval) -> Int { Int(time.tv_sec) * 1_000_000 + Int(time.tv_usec) }

    /// The second number of /proc/self/statm is pages (proc(5)).
    private static var residentBytes: Int? {
        guard let text = try? readFile("/proc/self/statm", limit: 4096) else { return nil }
        let fields = text.split(separator: .space)
        guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else { return nil }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }
}
