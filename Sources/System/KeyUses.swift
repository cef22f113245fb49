import Glibc
import Synchronization

/// When each key was last used: a file that the processes of one socket map together, and that outlives them.
///
/// A slot has five words: two of the key's name, one that tells its secret from others, when its history begins, and when
/// it was last used, or 0. Slots are given out under a lock on the file; a use is a single store.
@safe package final class KeyUses: @unchecked Sendable {
    /// Keys whose uses are noted, at most.
    package static let limit = 4096
    private static let slotWords = 5
    private enum Word { static let secret = 2, since = 3, last = 4 }
    private static let longestWait = Nanoseconds.milliseconds(1000)
    private static let fileBytes = limit * slotWords * 8

    /// Tells keys apart: half of a SHA-256.
    package struct Name: Hashable, Sendable {
        fileprivate let first: UInt64
        fileprivate let second: UInt64

        /// - Parameter digest: 16 bytes at least.
        package init(digest: Span<UInt8>) {
            first = unsafe digest.bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)
            second = unsafe digest.bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
        }

        fileprivate init(first: UInt64, second: UInt64) { (self.first, self.second) = (first, second) }

        fileprivate var isNone: Bool { first == 0 && second == 0 }
    }

    /// A key whose uses are to be noted. Another secret under the same name has a history of its own.
    package struct Key: Sendable {
        package let name: Name
        fileprivate let secret: UInt64

        /// - Parameter secret: tells the secret from others.
        package init(_ name: Name, secret: UInt64) { (self.name, self.secret) = (name, secret) }
    }

    /// Where the uses of a key are noted.
    package struct Place: Sendable {
        fileprivate let slot: Int
        fileprivate let key: Key
    }

    /// What is known of a key.
    package struct Use: Equatable, Sendable {
        /// Seconds since 1970 from which on no use was missed.
        package let since: Int
        /// Seconds since 1970; nil if it was not used since.
        package let last: Int?
    }

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let file: Descriptor
    private let lostPages: LostPages

    /// Opens the file in a directory, or makes it. Throws if the file system has no room for it: writing to a page that
    /// was mapped without room would kill the process.
    package init(directory: String) throws(SystemError) {
        let file = try KeyUses.open(in: directory, O_RDWR | O_CREAT)
        let result = posix_fallocate(file.number, 0, off_t(KeyUses.fileBytes))
        guard result == 0 else { throw SystemError("posix_fallocate", result) }
        let memory = unsafe mmap(nil, KeyUses.fileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { throw SystemError("mmap") }
        unsafe words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: KeyUses.fileBytes / 8)
        lostPages = unsafe LostPages(guarding: words, length: KeyUses.fileBytes)
        self.file = file
    }

    deinit { unsafe munmap(words, KeyUses.fileBytes) }

    private static func open(in directory: String, _ access: Int32) throws(SystemError) -> Descriptor {
        let flags = access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        let number = unsafe Glibc.open("\(directory)/key-uses-1", flags, 0o600)
        guard number >= 0 else { throw SystemError("open") }
        let file = Descriptor(owning: number)
        guard file.kind == .file else { throw SystemError("open", EINVAL) }
        return file
    }

    private func load(_ slot: Int, _ word: Int) -> UInt64 {
        unsafe words[slot * KeyUses.slotWords + word].load(ordering: .relaxed)
    }

    private func store(_ value: UInt64, _ slot: Int, _ word: Int) {
        unsafe words[slot * KeyUses.slotWords + word].store(value, ordering: .relaxed)
    }

    private func name(of slot: Int) -> Name { Name(first: load(slot, 0), second: load(slot, 1)) }

    // MARK: Places

    /// The places of the first 4,096 keys. Those that have none yet get one, and their history begins now; keys that are not
    /// among these lose theirs once the file is full. Waits for the lock, but not for long.
    ///
    /// - Parameters:
    ///   - others: keys that have a place only if they had one before, so that no use is missed that `since` covers.
    ///   - now: seconds since 1970.
    package func places(
        of keys: [Key], andIfKnown others: [Key] = [], now: Int
    ) throws(SystemError) -> [Name: Place] {
        try lock()
        defer { flock(file.number, LOCK_UN) }
        let keys = keys.prefix(KeyUses.limit)
        var slots: [Name: Int] = [:]
        var free: [Int] = []
        for slot in 0..<KeyUses.limit {
            let name = name(of: slot)
            if name.isNone || slots[name] != nil { free.append(slot) } else { slots[name] = slot }
        }
        free.reverse()
        var gone = slots
        for key in keys { gone[key.name] = nil }
        // Those that are not used any more before those that are.
        let known = others.filter { gone.removeValue(forKey: $0.name) != nil }
        var takeable = known.compactMap { slots[$0.name] }.sorted { lastUse($0) > lastUse($1) }
        takeable += gone.values.sorted { lastUse($0) > lastUse($1) }
        var places: [Name: Place] = [:]
        var taken: Set<Int> = []
        for key in keys {
            guard let slot = slots[key.name] ?? free.popLast() ?? takeable.popLast() else { break }
            taken.insert(slot)
            places[key.name] = place(key, in: slot, at: now)
        }
        for key in known {
            guard let slot = slots[key.name], !taken.contains(slot) else { continue }
            places[key.name] = place(key, in: slot, at: now)
        }
        return places
    }

    /// A process that was stopped while it held the lock must not stop the others, too.
    private func lock() throws(SystemError) {
        let end = Instant.now + KeyUses.longestWait
        while retryingInterrupts({ flock(file.number, LOCK_EX | LOCK_NB) }) != 0 {
            guard errno == EWOULDBLOCK, .now < end else { throw SystemError("flock") }
            usleep(5_000)
        }
    }

    private func lastUse(_ slot: Int) -> UInt64 { load(slot, Word.last) }

    private func place(_ key: Key, in slot: Int, at now: Int) -> Place {
        if name(of: slot) != key.name || load(slot, Word.secret) != key.secret { begin(key, in: slot, at: now) }
        return Place(slot: slot, key: key)
    }

    /// The name last: before it is there, nobody takes the slot for its key's.
    private func begin(_ key: Key, in slot: Int, at now: Int) {
        store(0, slot, 0)
        store(0, slot, 1)
        store(key.secret, slot, Word.secret)
        store(UInt64(max(now, 0)), slot, Word.since)
        store(0, slot, Word.last)
        store(key.name.second, slot, 1)
        unsafe words[slot * KeyUses.slotWords].store(key.name.first, ordering: .releasing)
    }

    /// Notes a use, unless the place belongs to another key by now.
    ///
    /// - Parameter now: seconds since 1970.
    package func note(_ place: Place, at now: Int) {
        let time = UInt64(max(now, 0))
        guard load(place.slot, Word.last) != time, name(of: place.slot) == place.key.name,
            load(place.slot, Word.secret) == place.key.secret
        else { return }
        store(time, place.slot, Word.last)
    }

    // MARK: Reading

    /// What is known of each key that has a place.
    package static func read(directory: String) throws(SystemError) -> [Name: Use] {
        let content = try open(in: directory, O_RDONLY).readToEnd(limit: fileBytes)
        var uses: [Name: Use] = [:]
        for slot in 0..<content.count / (slotWords * 8) {
            let words = (0..<slotWords).map { word in
                unsafe content.withUnsafeBytes {
                    unsafe $0.loadUnaligned(fromByteOffset: (slot * slotWords + word) * 8, as: UInt64.self)
                }
            }
            let name = Name(first: words[0], second: words[1])
            guard !name.isNone else { continue }
            let last = words[Word.last] == 0 ? nil : Int(truncatingIfNeeded: words[Word.last])
            uses[name] = Use(since: Int(truncatingIfNeeded: words[Word.since]), last: last)
        }
        return uses
    }
}
