import Glibc
import Synchronization

/// Counters in a file that the processes of one socket map together: a page for each process, written by it alone.
///
/// A page outlives its process, and the next one to come counts on in it: sums over all pages never go back. Whether a page
/// has a living owner is told by a lock that the kernel drops when the owner dies.
@safe package final class CounterPages {
    /// Counters of a process; bytes of a page divided by eight.
    package static let pageLength = 512
    /// Processes that can share a file.
    package static let pageLimit = 64

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let pageCount: Int
    private let file: Descriptor
    private let own: Int

    /// Counts for this process alone.
    package init() throws(SystemError) {
        pageCount = 1
        own = 0
        file = .none
        unsafe words = try CounterPages.map(pages: 1, file: -1)
    }

    /// Takes a page in a file of the directory.
    ///
    /// - Parameter layout: what the words mean; processes of another layout use another file.
    package init(directory: String, layout: Int) throws(SystemError) {
        let number = unsafe open("\(directory)/counters-\(layout)", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard number >= 0 else { throw SystemError("open") }
        let file = Descriptor(owning: number)
        let size = off_t(CounterPages.pageLimit * CounterPages.pageLength * 8)
        guard ftruncate(number, size) == 0 else { throw SystemError("ftruncate") }
        var taken: Int?
        for page in 0..<CounterPages.pageLimit where taken == nil {
            if CounterPages.lock(page, of: number, command: CounterPages.setLock) == Int16(F_WRLCK) { taken = page }
        }
        guard let taken else { throw SystemError("fcntl", EAGAIN) }
        own = taken
        pageCount = CounterPages.pageLimit
        unsafe words = try CounterPages.map(pages: pageCount, file: number)
        self.file = file
    }

    deinit { unsafe munmap(words, pageCount * CounterPages.pageLength * 8) }

    private static func map(pages: Int, file: Int32) throws(SystemError) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED
        let memory = unsafe mmap(nil, pages * pageLength * 8, PROT_READ | PROT_WRITE, flags, file, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { throw SystemError("mmap") }
        return unsafe memory.bindMemory(to: Atomic<UInt64>.self, capacity: pages * pageLength)
    }

    // F_OFD_GETLK and F_OFD_SETLK of fcntl(2), locks that belong to the open file; Swift does not see their names.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37

    /// Asks for, or after, the lock of a page. Returns the lock's type afterwards, or -1 where it is another's.
    private static func lock(_ page: Int, of file: Int32, command: Int32) -> Int16 {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = off_t(page * pageLength * 8)
        lock.l_len = off_t(pageLength * 8)
        return unsafe fcntl(file, command, &lock) == 0 ? lock.l_type : -1
    }

    /// Adds to one of this process' counters.
    package func add(_ count: UInt64, to index: Int) {
        let word = own * CounterPages.pageLength + index
        // Nobody else writes it: no need for a locked addition.
        let sum = unsafe words[word].load(ordering: .relaxed) &+ count
        unsafe words[word].store(sum, ordering: .relaxed)
    }

    /// Sets one of this process' gauges.
    package func set(_ value: UInt64, at index: Int) {
        unsafe words[own * CounterPages.pageLength + index].store(value, ordering: .relaxed)
    }

    private func value(_ index: Int, of page: Int) -> UInt64 {
        unsafe words[page * CounterPages.pageLength + index].load(ordering: .relaxed)
    }

    /// The sum over all processes that there have been.
    package func sum(_ index: Int) -> UInt64 {
        (0..<pageCount).reduce(0) { $0 &+ value(index, of: $1) }
    }

    /// The values of all processes that live.
    package func values(_ index: Int) -> [UInt64] {
        livingPages().map { value(index, of: $0) }
    }

    private func livingPages() -> [Int] {
        guard pageCount > 1 else { return [0] }
        return (0..<pageCount).filter { page in
            page == own || CounterPages.lock(page, of: file.number, command: CounterPages.getLock) == Int16(F_WRLCK)
        }
    }
}
