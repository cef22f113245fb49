import Glibc
import Synchronization

/// Slots of words in a file that the processes of one socket map together, and that outlives them. A slot belongs to a name.
///
/// The first two words of a slot are the name. Slots are given out under a lock on the file, which a process that dies
/// releases at any point; the other words are read and written without it.
@safe package final class SlotFile: @unchecked Sendable {
    private static let nameWords = 2
    private static let longestWait = Nanoseconds.milliseconds(3000)

    /// What a file is called, and what it holds.
    package struct Layout: Sendable {
        package let file: String
        /// Slots, and so names, at most.
        package let slots: Int
        /// The words of a slot beside the name.
        package let words: Int

        package init(file: String, slots: Int, words: Int) {
            (self.file, self.slots, self.words) = (file, slots, words)
        }

        fileprivate var stride: Int { SlotFile.nameWords + words }
        fileprivate var bytes: Int { slots * stride * 8 }
    }

    /// Tells names apart: half of a SHA-256.
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

    /// The slot of a name.
    package struct Place: Sendable {
        fileprivate let slot: Int
        package let name: Name
    }

    private let layout: Layout
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let file: Descriptor
    private let lostPages: LostPages

    /// Opens the file in a directory, or makes it. Throws if the file system has no room for it: writing to a page that
    /// was mapped without room would kill the process.
    package init(directory: String, _ layout: Layout) throws(SystemError) {
        let file = try SlotFile.open(layout, in: directory, O_RDWR | O_CREAT)
        let result = posix_fallocate(file.number, 0, off_t(layout.bytes))
        guard result == 0 else { throw SystemError("posix_fallocate", result) }
        let memory = unsafe mmap(nil, layout.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { throw SystemError("mmap") }
        unsafe words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: layout.bytes / 8)
        lostPages = unsafe LostPages(guarding: words, length: layout.bytes)
        self.file = file
        self.layout = layout
    }

    deinit { unsafe munmap(words, layout.bytes) }

    private static func open(
        _ layout: Layout, in directory: String, _ access: Int32
    ) throws(SystemError) -> Descriptor {
        let flags = access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        let number = unsafe Glibc.open("\(directory)/\(layout.file)", flags, 0o600)
        guard number >= 0 else { throw SystemError("open") }
        let file = Descriptor(owning: number)
        guard file.kind == .file else { throw SystemError("open", EINVAL) }
        return file
    }

    /// Whether the file was truncated while it was mapped: what was in the lost pages is gone, and what is written to them
    /// from then on is this process' alone.
    package var hasLostPages: Bool { lostPages.count > 0 }

    // MARK: Words

    private func load(_ slot: Int, at offset: Int) -> UInt64 {
        unsafe words[slot * layout.stride + offset].load(ordering: .relaxed)
    }

    private func store(_ value: UInt64, _ slot: Int, at offset: Int) {
        unsafe words[slot * layout.stride + offset].store(value, ordering: .relaxed)
    }

    private func name(of slot: Int) -> Name { Name(first: load(slot, at: 0), second: load(slot, at: 1)) }

    /// Whether the slot is still that of the place's name: others may have given it to another one.
    package func isOwn(_ place: Place) -> Bool { name(of: place.slot) == place.name }

    package func word(_ index: Int, of place: Place) -> UInt64 { load(place.slot, at: SlotFile.nameWords + index) }

    package func set(_ index: Int, of place: Place, to value: UInt64) {
        store(value, place.slot, at: SlotFile.nameWords + index)
    }

    /// Replaces a word by what `next` makes of it, and again if another process was faster. Nil leaves it as it is.
    ///
    /// Returns false, and leaves the word, if the slot belongs to another name by now.
    package func replace(_ index: Int, of place: Place, _ next: (UInt64) -> UInt64?) -> Bool {
        let offset = place.slot * layout.stride + SlotFile.nameWords + index
        var value = unsafe words[offset].load(ordering: .acquiring)
        while true {
            guard isOwn(place) else { return false }
            guard let new = next(value) else { return true }
            let (isDone, found) = unsafe words[offset].compareExchange(
                expected: value, desired: new, ordering: .acquiringAndReleasing)
            if isDone { return true }
            value = found
        }
    }

    // MARK: Places

    /// Gives each of the names a slot, as long as there are some. Once all are taken, names that are not among these lose
    /// theirs, the one with the least first word first.
    ///
    /// Names that all have their slots are found without the lock, so that many processes that look for the same ones at
    /// the same time need not wait for each other, but only for the first of them.
    ///
    /// - Parameters:
    ///   - others: names that have a place only if they had one before; they lose it last.
    ///   - age: the word by which the one that loses its slot is chosen.
    ///   - words: what a place begins with; nil if it goes on as it is. That of another name must begin.
    package func places(
        of names: [Name], andIfKnown others: [Name] = [], leastFirst age: Int, beginning words: (Place) -> [UInt64]?
    ) throws(SystemError) -> [Name: Place] {
        let names = Array(names.prefix(layout.slots))
        let (wanted, known) = (Set(names), Set(others))
        let end = Instant.now + SlotFile.longestWait
        while true {
            let survey = survey(wanted, known)
            let isReady = names.allSatisfy { survey.slots[$0] != nil }
            let places = isReady ? places(in: survey.slots) : [:]
            if isReady && places.values.allSatisfy({ words($0) == nil }) { return places }
            if try tryLock() { break }
            // A process that was stopped while it held the lock must not stop the others, too.
            guard .now < end else { throw SystemError("flock", EWOULDBLOCK) }
            usleep(20_000)
        }
        defer { flock(file.number, LOCK_UN) }
        let survey = survey(wanted, known)
        let places = places(in: assign(names, wanted, survey, leastFirst: age))
        for place in places.values {
            if let words = words(place) { begin(place, words) }
        }
        return places
    }

    /// What the file holds at the moment.
    private struct Survey {
        /// Of the names that were looked for.
        var slots: [Name: Int] = [:]
        var free: [Int] = []
        /// Those of all other names.
        var gone: [Int] = []
    }

    private func survey(_ wanted: Set<Name>, _ known: Set<Name>) -> Survey {
        var survey = Survey()
        survey.slots.reserveCapacity(wanted.count)
        for slot in (0..<layout.slots).reversed() {
            let name = name(of: slot)
            if name.isNone || survey.slots[name] != nil {
                survey.free.append(slot)
            } else if wanted.contains(name) || known.contains(name) {
                survey.slots[name] = slot
            } else {
                survey.gone.append(slot)
            }
        }
        return survey
    }

    /// The slots that the names have, or are to have.
    private func assign(
        _ names: [Name], _ wanted: Set<Name>, _ survey: Survey, leastFirst age: Int
    ) -> [Name: Int] {
        var (slots, free) = (survey.slots, survey.free)
        let missing = names.filter { slots[$0] == nil }
        if missing.count > free.count {
            let old = { self.load($0, at: SlotFile.nameWords + age) }
            let unneeded = slots.filter { !wanted.contains($0.key) }
            let takeable = unneeded.values.sorted { old($0) > old($1) } + survey.gone.sorted { old($0) > old($1) }
            let taken = Set(takeable.suffix(missing.count - free.count))
            for (name, slot) in unneeded where taken.contains(slot) { slots[name] = nil }
            free = taken + free
        }
        for name in missing { slots[name] = free.popLast() }
        return slots
    }

    private func places(in slots: [Name: Int]) -> [Name: Place] {
        var places: [Name: Place] = [:]
        places.reserveCapacity(slots.count)
        for (name, slot) in slots { places[name] = Place(slot: slot, name: name) }
        return places
    }

    /// The name last: before it is there, nobody takes the slot for it.
    private func begin(_ place: Place, _ values: [UInt64]) {
        store(0, place.slot, at: 0)
        store(0, place.slot, at: 1)
        for (index, value) in values.enumerated() { set(index, of: place, to: value) }
        store(place.name.second, place.slot, at: 1)
        unsafe words[place.slot * layout.stride].store(place.name.first, ordering: .releasing)
    }

    private func tryLock() throws(SystemError) -> Bool {
        if retryingInterrupts({ flock(file.number, LOCK_EX | LOCK_NB) }) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw SystemError("flock") }
        return false
    }

    // MARK: Reading

    /// The words of each name that has a slot.
    package static func read(_ layout: Layout, directory: String) throws(SystemError) -> [Name: [UInt64]] {
        let content = try open(layout, in: directory, O_RDONLY).readToEnd(limit: layout.bytes)
        var found: [Name: [UInt64]] = [:]
        for slot in 0..<content.count / (layout.stride * 8) {
            let words = (0..<layout.stride).map { word in
                unsafe content.withUnsafeBytes {
                    unsafe $0.loadUnaligned(fromByteOffset: (slot * layout.stride + word) * 8, as: UInt64.self)
                }
            }
            let name = Name(first: words[0], second: words[1])
            if !name.isNone { found[name] = Array(words.dropFirst(nameWords)) }
        }
        return found
    }
}
