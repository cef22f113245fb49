import EventLoop
import Glibc

/// What processes have used, from proc(5).
struct ProcessUsage {
    private(set) var cpuSeconds = 0.0
    private(set) var residentBytes = 0

    init() {}

    /// Nothing where there is no such process.
    init(of process: Int32) {
        guard let stat = try? readFile("/proc/\(process)/stat", limit: 4096),
            // The name before it, in brackets, may hold anything.
            let end = stat.lastIndex(of: 0x29)
        else { return }
        let fields = String(decoding: stat[(end + 1)...], as: UTF8.self).split(separator: " ")
        guard fields.count > 21 else { return }
        let ticks = (Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0)
        cpuSeconds = ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        residentBytes = (Int(fields[21]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }

    mutating func add(_ other: ProcessUsage) {
        cpuSeconds += other.cpuSeconds
        residentBytes += other.residentBytes
    }
}
