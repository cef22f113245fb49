import Glibc
import Product
import System
import Tenants

/// Waits until all responders of a set use the tenants file.
struct TenantsWait {
    let store: TenantsStore
    /// Where they share their counters.
    let directory: String

    /// Returns whether they do, and reports it on standard error.
    ///
    /// What counts is the file at the end: if somebody else edits it meanwhile, their version contains this edit.
    func run(until deadline: Instant) -> Bool {
        var state: FileState?
        var digest: UInt64 = 0
        while true {
            let current = FileState(of: store.path)
            if current == nil || current != state {
                state = current
                guard let found = fileDigest() else { return false }
                digest = found
            }
            guard let digests = digests() else { return false }
            let ready = digests.count { $0 == digest }
            if ready == digests.count {
                StandardStreams.complain(TenantsWait.told(ready, directory))
                return true
            }
            guard .now < deadline else {
                StandardStreams.complain(
                    """
                    the file was changed, but only \(ready) of \(TenantsWait.processes(digests.count)) of \(directory) \
                    \(ready == 1 ? "uses" : "use") it so far: the responders' log says why ("tenants not reloaded"); one \
                    that was started with a file of lines needs HUP
                    """)
                return false
            }
            usleep(50_000)
        }
    }

    private func fileDigest() -> UInt64? {
        do {
            return UInt64(try store.digest())
        } catch {
            StandardStreams.complain("the file was changed, and now \(error)")
            return nil
        }
    }

    /// What each process uses; nil if that cannot be read.
    private func digests() -> [UInt64]? {
        do throws(SystemError) {
            return try CounterPages.values(
                of: SharedCounters.tenantsDigest, directory: directory, layout: SharedCounters.layout)
        } catch {
            if error.code == ENOENT { return [] }
            StandardStreams.complain(
                "the file was changed; whether the responders use it is not known: \(directory) cannot be read (\(error))"
            )
            return nil
        }
    }

    private static func told(_ count: Int, _ directory: String) -> String {
        switch count {
        case 0: "warning: no responder shares its counters in \(directory): the next one to start there uses the file"
        case 1: "the one process of \(directory) uses the changed file"
        default: "all \(count) processes of \(directory) use the changed file"
        }
    }

    private static func processes(_ count: Int) -> String { count == 1 ? "one process" : "\(count) processes" }
}
