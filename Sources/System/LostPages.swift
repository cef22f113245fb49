import Glibc
import Synchronization

/// Keeps the process alive when it touches a page that a mapped file has lost (SIGBUS), by mapping a private page
/// there.
///
/// A value guards one mapping for as long as it lives. A fault anywhere else ends the process, as it would without a
/// guard.
@safe struct LostPages: ~Copyable {
    /// A guarded mapping, in memory that is never freed: a signal handler, which may neither lock nor allocate, can
    /// walk the list at any time. The next mapping reuses a place that has become free.
    @safe private struct Place: ~Copyable {
        let start: Atomic<UInt>
        let end = Atomic<UInt>(0)
        let replaced = Atomic<Int>(0)
        let next: UnsafePointer<Place>?
    }

    private static let pageBytes: UInt = 4096
    nonisolated(unsafe) private static let first = unsafe Atomic<UnsafePointer<Place>?>(nil)
    private static let handler: Void = install()

    private let place: UnsafePointer<Place>

    init(guarding mapping: UnsafeMutableRawPointer, length: Int) {
        LostPages.handler
        let start = UInt(bitPattern: mapping)
        unsafe place = LostPages.freePlace(for: start) ?? LostPages.newPlace(for: start)
        unsafe place.pointee.replaced.store(0, ordering: .relaxed)
        unsafe place.pointee.end.store(start + UInt(length), ordering: .releasing)
    }

    deinit {
        unsafe place.pointee.end.store(0, ordering: .relaxed)
        unsafe place.pointee.start.store(0, ordering: .releasing)
    }

    /// Pages of this mapping that were replaced so far.
    var count: Int { unsafe place.pointee.replaced.load(ordering: .relaxed) }

    private static func freePlace(for start: UInt) -> UnsafePointer<Place>? {
        var next = unsafe first.load(ordering: .acquiring)
        while let place = unsafe next {
            if unsafe place.pointee.start.compareExchange(expected: 0, desired: start, ordering: .relaxed).exchanged {
                return unsafe place
            }
            unsafe next = place.pointee.next
        }
        return nil
    }

    private static func newPlace(for start: UInt) -> UnsafePointer<Place> {
        let place = UnsafeMutablePointer<Place>.allocate(capacity: 1)
        var next = unsafe first.load(ordering: .acquiring)
        while true {
            unsafe place.initialize(to: Place(start: Atomic(start), next: next))
            let (exchanged, original) = unsafe first.compareExchange(
                expected: next, desired: UnsafePointer(place), ordering: .acquiringAndReleasing)
            if exchanged { return unsafe UnsafePointer(place) }
            unsafe place.deinitialize(count: 1)
            unsafe next = original
        }
    }

    private static func install() {
        var action = sigaction()
        action.sa_flags = SA_SIGINFO
        unsafe action.__sigaction_handler.sa_sigaction = { _, info, _ in
            let address = unsafe UInt(bitPattern: info!.pointee._sifields._sigfault.si_addr)
            guard LostPages.fill(address) else {
                // The access is repeated, and this time has no handler.
                _ = signal(SIGBUS, SIG_DFL)
                return
            }
        }
        unsafe sigaction(SIGBUS, &action, nil)
    }

    /// Does only what a signal handler may do: mmap(2) is a bare system call.
    private static func fill(_ address: UInt) -> Bool {
        var next = unsafe first.load(ordering: .acquiring)
        while let place = unsafe next {
            defer { unsafe next = place.pointee.next }
            guard unsafe address < place.pointee.end.load(ordering: .acquiring),
                unsafe address >= place.pointee.start.load(ordering: .relaxed)
            else { continue }
            let page = unsafe UnsafeMutableRawPointer(bitPattern: address & ~(pageBytes - 1))
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
            let memory = unsafe mmap(page, Int(pageBytes), PROT_READ | PROT_WRITE, flags, -1, 0)
            guard unsafe memory != MAP_FAILED else { return false }
            unsafe place.pointee.replaced.add(1, ordering: .relaxed)
            return true
        }
        return false
    }
}
