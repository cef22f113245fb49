import CLinux
import Glibc

/// The environment of the process.
package enum ProcessEnvironment {
    package static var all: [String: String] {
        var variables: [String: String] = [:]
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            unsafe next += 1
        }
        return variables
    }
}

/// Allows the process as many descriptors as the system lets it have.
package func raiseDescriptorLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(resource, &limit)
}

/// Asks the scheduler not to stop somebody else the moment that something arrives for this process (SCHED_BATCH, sched(7)).
///
/// On busy processors more is then ready at each turn, and each turn serves more; idle ones wake it as fast as before, and
/// its share of the processor is the same. A policy that the process was started with, other than the usual one, stays.
package func useBatchScheduling() {
    guard sched_getscheduler(0) == SCHED_OTHER else { return }
    var parameters = sched_param()
    // A sandbox may forbid it, and costs no more than the gain.
    _ = unsafe sched_setscheduler(0, SCHED_BATCH, &parameters)
}
