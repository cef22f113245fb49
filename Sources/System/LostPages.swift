import Glibc
import Synchronization

/// Keeps a process alive that touches a page of a mapped file which has gone (SIGBUS): by a page of its own in that place.
enum LostPages {
    private static let start = Atomic<UInt>(0)
    private static let end = Atomic<UInt>(0)
    private static let replaced = Atomic<Int>(0)
    private static let pageBytes: UInt = 4096

    /// Pages that were replaced so far.
    static var count: Int { replaced.load(ordering: .relaxed) }

    /// From here on replaces what is missing in this one mapping. A fault anywhere else ends the process, as before.
    static func replace(in mapping: UnsafeMutableRawPointer, length: Int) {
        start.store(UInt(bitPattern: mapping), ordering: .relaxed)
        end.store(UInt(bitPattern: mapping) + UInt(length), ordering: .relaxed)
        var action = sigaction()
        action.sa_flags = SA_SIGINFO
        unsafe action.__sigaction_handler.sa_sigaction = { _, info, _ in
            let address = unsafe UInt(bitPattern: info!.pointee._sifields._sigfault.si_addr)
            guard LostPages.fill(address) else {
                // Back where it happened, and then as if there were no handler.
                _ = signal(SIGBUS, SIG_DFL)
                return
            }
        }
        unsafe sigaction(SIGBUS, &action, nil)
    }

    /// Only what may be done within a signal handler: mmap(2) is a bare system call.
    private static func fill(_ address: UInt) -> Bool {
        guard address >= start.load(ordering: .relaxed), address < end.load(ordering: .relaxed) else { return false }
        let page = unsafe UnsafeMutableRawPointer(bitPattern: address & ~(pageBytes - 1))
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        let memory = unsafe mmap(page, Int(pageBytes), PROT_READ | PROT_WRITE, flags, -1, 0)
        guard unsafe memory != MAP_FAILED else { return false }
        replaced.add(1, ordering: .relaxed)
        return true
    }
}
