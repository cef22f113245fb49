import Glibc
import Synchronization

/// When each key was last used: a file that the processes of one socket map together, and that outlives them.
///
/// A slot has four words: two of the key's name, when its history begins, and when it was last used, or 0. Slots are given
/// out under a lock on the file; a use is a single store.
@safe package final class KeyUses: @unchecked Sendable {
    /// Keys whose uses are noted, at most.
    package static let limit = 4096
    private static let slotWords = 4
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

    /// Where the uses of a key are noted.
    package struct Place: Sendable {
        fileprivate let slot: Int
        fileprivate let name: Name
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
    /// among these lose theirs once the file is full. Waits for the lock.
    ///
    /// - Parameter now: seconds since 1970.
    package func places(of names: [Name], now: Int) throws(SystemError) -> [Place] {
        let names = names.prefix(KeyUses.limit)
        guard retryingInterrupts({ flock(file.number, LOCK_EX) }) == 0 else { throw SystemError("flock") }
        defer { flock(file.number, LOCK_UN) }
        var slots: [Name: Int] = [:]
        var free: [Int] = []
        for slot in 0..<KeyUses.limit {
            let name = name(of: slot)
            if name.isNone || slots[name] != nil { free.append(slot) } else { slots[name] = slot }
        }
        let kept = Set(names)
        var others = slots.filter { !kept.contains($0.key) }.map(\.value).sorted { load($0, 3) > load($1, 3) }
        free.reverse()
        var places: [Place] = []
        for name in names {
            if let slot = slots[name] {
                places.append(Place(slot: slot, name: name))
            } else if let slot = free.popLast() ?? others.popLast() {
                begin(name, in: slot, at: now)
                slots[name] = slot
                places.append(Place(slot: slot, name: name))
            }
        }
        return places
    }

    /// The name last: before it is there, nobody takes the slot for its key's.
    private func begin(_ name: Name, in slot: Int, at now: Int) {
        store(0, slot, 0)
        store(0, slot, 1)
        store(UInt64(max(now, 0)), slot, 2)
        store(0, slot, 3)
        store(name.second, slot, 1)
        unsafe words[slot * KeyUses.slotWords].store(name.first, ordering: .releasing)
    }

    /// Notes a use, unless the place belongs to another key by now.
    ///
    /// - Parameter now: seconds since 1970.
    package func note(_ place: Place, at now: Int) {
        let time = UInt64(max(now, 0))
        guard load(place.slot, 3) != time, name(of: place.slot) == place.name else { return }
        store(time, place.slot, 3)
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
            let last = words[3] == 0 ? nil : Int(truncatingIfNeeded: words[3])
            uses[name] = Use(since: Int(truncatingIfNeeded: words[2]), last: last)
        }
        return uses
    }
}
