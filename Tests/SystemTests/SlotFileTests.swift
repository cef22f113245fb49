import Glibc
import TestSupport
import Testing

@testable import System

/// Slots in a file that processes share.
struct SlotFileTests {
    private let directory = TemporaryDirectory()
    private let layout = SlotFile.Layout(file: "slots", slots: 4, words: 1)

    private var path: String { "\(directory.path)/slots" }

    private func name(_ number: Int) -> SlotFile.Name {
        var bytes = [UInt8](repeating: 7, count: 16)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
        return SlotFile.Name(digest: bytes.span)
    }

    private func open() throws(SystemError) -> SlotFile { try SlotFile(directory: directory.path, layout) }

    private func places(_ file: SlotFile, _ numbers: [Int]) throws -> [SlotFile.Place?] {
        let places = try file.places(of: numbers.map(name), leastFirst: 0) { file.isOwn($0) ? nil : [0] }
        return numbers.map { places[name($0)] }
    }

    /// Adds to a word; returns whether the place is still its name's.
    private func add(_ count: UInt64, _ place: SlotFile.Place, in file: SlotFile) -> Bool {
        file.replace(0, of: place) { $0 + count }
    }

    @Test func `all who open the file share the words of a name, and they outlive them`() throws {
        do {
            let (first, second) = (try open(), try open())
            let place = try #require(try places(first, [1])[0])
            let same = try #require(try places(second, [2, 1])[1])
            #expect(add(5, place, in: first) && add(6, same, in: second))
            #expect(first.word(0, of: place) == 11)
        }
        let again = try open()
        #expect(again.word(0, of: try #require(try places(again, [1])[0])) == 11)
        var status = stat()
        #expect(unsafe stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test func `nil leaves a word as it is`() throws {
        let file = try open()
        let place = try #require(try places(file, [1])[0])
        #expect(file.replace(0, of: place) { _ in nil })
        #expect(file.word(0, of: place) == 0)
    }

    @Test func `what another process has written meanwhile is not lost`() throws {
        let (file, other) = (try open(), try open())
        let place = try #require(try places(file, [1])[0])
        var seen: [UInt64] = []
        let isOwn = file.replace(0, of: place) { value in
            seen.append(value)
            if seen.count == 1 { other.set(0, of: place, to: 40) }
            return value + 2
        }
        #expect(isOwn && seen == [0, 40] && file.word(0, of: place) == 42)
    }

    @Test func `once all slots are taken, names that are gone lose theirs, those with the least word first`() throws {
        let (file, other) = (try open(), try open())
        let first = try places(file, [1, 2, 3, 4, 5]).compactMap { $0 }
        #expect(first.count == 4, "the fifth finds no room")
        for (place, count) in zip(first, [40, 10, 30, 20] as [UInt64]) { #expect(add(count, place, in: file)) }
        // 2 and 4 are gone, and 2 was the least.
        let second = try places(other, [1, 3, 5]).compactMap { $0 }
        #expect(second.map { other.word(0, of: $0) } == [40, 30, 0])
        #expect(!add(1, first[1], in: file) && other.word(0, of: second[2]) == 0, "an old place is not used any more")
        #expect(add(1, first[3], in: file))
    }

    @Test func `names come and go over many reloads`() throws {
        let file = try open()
        for round in 0..<500 {
            let numbers = [1, round + 10, round + 11, round + 12]
            let found = try places(file, numbers).compactMap { $0 }
            try #require(found.count == 4)
            for place in found { #expect(add(UInt64(round), place, in: file)) }
        }
        #expect(file.word(0, of: try #require(try places(file, [1])[0])) == 499 * 250)
    }

    @Test func `a process that dies while it takes a slot leaves one that is taken again`() throws {
        let file = try open()
        let place = try #require(try places(file, [1, 2, 3, 4])[0])
        // Each word of the slot, left as it can be at any point.
        let number = unsafe Glibc.open(path, O_RDWR)
        defer { close(number) }
        for half in [[0, 0], [0, 9], [7, 0]] as [[UInt64]] {
            #expect(unsafe pwrite(number, half, 16, 0) == 16)
            #expect(!add(1, place, in: file))
            let found = try places(file, [2, 3, 4, 5]).compactMap { $0 }
            #expect(found.count == 4 && found.allSatisfy { add(1, $0, in: file) })
        }
    }

    @Test(arguments: [0, 1, 95, 96, 97, 100_000]) func `a file of another size, or of junk, is used all the same`(
        size: Int
    )
        throws
    {
        var random = SplitMix64(seed: UInt64(size))
        let junk = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
        let number = unsafe Glibc.open(path, O_RDWR | O_CREAT, 0o600)
        #expect(unsafe write(number, junk, size) == size)
        close(number)
        let file = try open()
        let found = try places(file, [1, 2, 3, 4]).compactMap { $0 }
        #expect(found.count == 4 && found.allSatisfy { file.word(0, of: $0) == 0 && add(1, $0, in: file) })
    }

    @Test func `the same name in two slots counts once`() throws {
        let file = try open()
        _ = try places(file, [1, 2])
        let number = unsafe Glibc.open(path, O_RDWR)
        defer { close(number) }
        var slot = [UInt64](repeating: 0, count: 3)
        #expect(unsafe pread(number, &slot, 24, 0) == 24)
        #expect(unsafe pwrite(number, slot, 24, 72) == 24)
        #expect(try places(file, [1, 2, 3, 4]).compactMap { $0 }.count == 4)
    }

    @Test func `a file that was truncated does not end the process, and that is known`() throws {
        let file = try open()
        let place = try #require(try places(file, [1])[0])
        #expect(!file.hasLostPages)
        unsafe truncate(path, 0)
        #expect(!add(1, place, in: file))
        #expect(file.hasLostPages)
        let again = try open()
        #expect(add(1, try #require(try places(again, [1])[0]), in: again))
    }

    @Test func `a lock that somebody keeps is not waited for long`() throws {
        let file = try open()
        let number = unsafe Glibc.open(path, O_RDWR)
        defer { close(number) }
        try #require(flock(number, LOCK_EX) == 0)
        let start = Instant.now
        #expect(throws: SystemError.self) { try places(file, [1]) }
        #expect(Instant.now.since(start) < 20_000_000_000)
        flock(number, LOCK_UN)
        let found = try places(file, [1])
        // What is there already needs no lock.
        try #require(flock(number, LOCK_EX) == 0)
        #expect(try places(try open(), [1]).count == found.count)
    }

    @Test func `only a regular file will do`() throws {
        #expect(unsafe mkfifo(path, 0o600) == 0)
        #expect(throws: SystemError.self) { _ = try open() }
        unsafe unlink(path)
        #expect(unsafe symlink("elsewhere", path) == 0)
        #expect(throws: SystemError.self) { _ = try open() }
    }
}
