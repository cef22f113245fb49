import CLinux
import Glibc
import Synchronization

/// Counters in a file that the processes of one socket map together: a page for each process, written by it alone.
///
/// A page outlives its process, and the next process to take it adds to its counts, so sums over all pages never
/// decrease. A lock that the kernel releases when the owner dies shows whether a page has a living owner.
@safe package final class CounterPages {
    /// Counters in a page: its bytes divided by eight.
    package static let pageLength = 512
    /// Processes that can share a file, old and new sets together. The file grows with their number.
    package static let pageLimit = 1024
    private static let pageBytes = pageLength * 8
    private static let fileLimit = pageLimit * pageBytes

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let mappedPages: Int
    private let file: Descriptor
    private let own: Int
    private let lostPages: LostPages?

    /// Counts for this process alone.
    package init() throws(SystemError) {
        mappedPages = 1
        own = 0
        file = .none
        lostPages = nil
        unsafe words = try CounterPages.map(pages: 1, file: -1)
    }

    /// Takes a page in a file of the directory. Also throws if the file system has no room for it: writing to a page
    /// that was mapped without room would kill the process.
    ///
    /// - Parameter layout: the version of the words' meanings; processes of another layout use another file.
    package init(directory: String, layout: Int) throws(SystemError) {
        let file = try CounterPages.openFile(in: directory, layout: layout, creating: true)
        let number = file.number
        own = try CounterPages.takePage(of: number)
        // Also the pages that will be read: a hole in a full file system would kill the process, too.
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw SystemError("fstat") }
        let length = max((own + 1) * CounterPages.pageBytes, min(Int(status.st_size), CounterPages.fileLimit))
        let result = posix_fallocate(number, 0, off_t(length))
        guard result == 0 else { throw SystemError("posix_fallocate", result) }
        mappedPages = CounterPages.pageLimit
        unsafe words = try CounterPages.map(pages: mappedPages, file: number)
        lostPages = unsafe LostPages(guarding: words, length: mappedPages * CounterPages.pageBytes)
        self.file = file
    }

    /// Whether a process of this user could take a page in the directory. Changes nothing there.
    package static func check(directory: String, layout: Int) throws(SystemError) {
        do throws(SystemError) {
            _ = try openFile(in: directory, layout: layout, creating: false)
        } catch {
            guard error.code == ENOENT else { throw error }
            try checkCreation(in: directory)
        }
    }

    private static func openFile(in directory: String, layout: Int, creating: Bool) throws(SystemError) -> Descriptor {
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (creating ? O_CREAT : 0)
        let number = unsafe open("\(directory)/counters-\(layout)", flags, 0o600)
        guard number >= 0 else { throw SystemError("open") }
        let file = Descriptor(owning: number)
        guard file.kind == .file else { throw SystemError("open", EINVAL) }
        return file
    }

    deinit { unsafe munmap(words, mappedPages * CounterPages.pageBytes) }

    private static func map(pages: Int, file: Int32) throws(SystemError) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED
        let memory = unsafe mmap(nil, pages * pageBytes, PROT_READ | PROT_WRITE, flags, file, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { throw SystemError("mmap") }
        return unsafe memory.bindMemory(to: Atomic<UInt64>.self, capacity: pages * pageLength)
    }

    // MARK: Ownership

    /// Takes the first page that has no owner.
    private static func takePage(of file: Int32) throws(SystemError) -> Int {
        for page in 0..<pageLimit {
            if lock(page, of: file, command: OFD_SETLK) == Int16(F_WRLCK) { return page }
            // Another process has it.
            guard errno == EAGAIN || errno == EACCES else { throw SystemError("fcntl") }
        }
        throw SystemError("fcntl", EAGAIN)
    }

    /// Takes or queries the lock of a page. Returns the lock's type afterwards, or -1 if another process holds it.
    private static func lock(_ page: Int, of file: Int32, command: Int32) -> Int16 {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = off_t(page * pageBytes)
        lock.l_len = off_t(pageBytes)
        return unsafe fcntl(file, command, &lock) == 0 ? lock.l_type : -1
    }

    private func isAlive(_ page: Int) -> Bool {
        page == own || CounterPages.lock(page, of: file.number, command: OFD_GETLK) == Int16(F_WRLCK)
    }

    // MARK: Counting

    /// Adds to one of this process' counters.
    package func add(_ count: UInt64, to index: Int) {
        let word = own * CounterPages.pageLength + index
        // No other process writes it, so the addition need not be atomic.
        let sum = unsafe words[word].load(ordering: .relaxed) &+ count
        unsafe words[word].store(sum, ordering: .relaxed)
    }

    /// Sets one of this process' gauges.
    package func set(_ value: UInt64, at index: Int) {
        unsafe words[own * CounterPages.pageLength + index].store(value, ordering: .relaxed)
    }

    /// Whether the file was truncated while it was mapped. The content of the lost pages is gone, and what is counted
    /// in them from then on is this process' alone.
    package var hasLostPages: Bool {
        switch lostPages {
        case nil: false
        case .some(let lostPages): lostPages.count > 0
        }
    }

    // MARK: Reading

    /// All counters at one moment.
    package struct Snapshot {
        /// The sum of each word over all processes, past and present.
        package fileprivate(set) var sums = [UInt64](repeating: 0, count: CounterPages.pageLength)
        /// The first words of each living process.
        package fileprivate(set) var living: [[UInt64]] = []

        /// The values of a gauge, one for each living process.
        package func values(_ index: Int) -> [UInt64] { living.map { $0[index] } }
    }

    /// Reads all pages, each once.
    ///
    /// - Parameter gauges: how many words of each living process' page are returned separately.
    package func snapshot(gauges: Int) -> Snapshot {
        var snapshot = Snapshot()
        for page in 0..<pageCount {
            let first = page * CounterPages.pageLength
            for index in 0..<CounterPages.pageLength {
                snapshot.sums[index] &+= unsafe words[first + index].load(ordering: .relaxed)
            }
            guard isAlive(page) else { continue }
            snapshot.living.append((0..<gauges).map { unsafe words[first + $0].load(ordering: .relaxed) })
        }
        return snapshot
    }

    /// The values of a gauge, one for each living process of a set, in the file in a directory. Takes no page.
    package static func values(
        of gauge: Int, directory: String, layout: Int
    ) throws(SystemError) -> [UInt64] {
        let file = try openFile(in: directory, layout: layout, creating: false)
        let content = try file.readToEnd(limit: fileLimit)
        return (0..<content.count / pageBytes).compactMap { page in
            guard lock(page, of: file.number, command: OFD_GETLK) == Int16(F_WRLCK) else { return nil }
            return unsafe content.withUnsafeBytes { bytes in
                unsafe bytes.loadUnaligned(fromByteOffset: page * pageBytes + gauge * 8, as: UInt64.self)
            }
        }
    }

    /// The pages that the file holds: memory beyond them must not be touched.
    private var pageCount: Int {
        guard file.number >= 0 else { return 1 }
        var status = stat()
        guard unsafe fstat(file.number, &status) == 0 else { return 0 }
        return min(Int(status.st_size) / CounterPages.pageBytes, mappedPages)
    }
}
