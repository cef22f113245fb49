import Glibc
import TestSupport
import Testing

@testable import System

/// The file in which uses of keys are noted.
struct KeyUsesTests {
    private let directory = TemporaryDirectory()

    private func name(_ number: Int) -> KeyUses.Name {
        var bytes = [UInt8](repeating: 7, count: 16)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
        return KeyUses.Name(digest: bytes.span)
    }

    private func key(_ number: Int, secret: UInt64 = 1) -> KeyUses.Key { KeyUses.Key(name(number), secret: secret) }

    private func known() throws -> [KeyUses.Name: KeyUses.Use] { try KeyUses.read(directory: directory.path) }

    @Test func `a use is seen by others at once, and after a restart`() throws {
        do {
            let uses = try KeyUses(directory: directory.path)
            let places = try uses.places(of: [key(1), key(2)], now: 1000)
            uses.note(try #require(places[name(2)]), at: 1500)
            #expect(try known() == [name(1): .init(since: 1000, last: nil), name(2): .init(since: 1000, last: 1500)])
        }
        let uses = try KeyUses(directory: directory.path)
        let places = try uses.places(of: [key(2), key(3)], now: 2000)
        uses.note(try #require(places[name(2)]), at: 2500)
        #expect(
            try known() == [
                name(1): .init(since: 1000, last: nil), name(2): .init(since: 1000, last: 2500),
                name(3): .init(since: 2000, last: nil),
            ])
    }

    @Test func `processes that open the file at the same time give a key one place`() throws {
        let (first, second) = (try KeyUses(directory: directory.path), try KeyUses(directory: directory.path))
        let place = try #require(try first.places(of: [key(1)], now: 1000)[name(1)])
        let same = try #require(try second.places(of: [key(2), key(1)], now: 1001)[name(1)])
        second.note(same, at: 1100)
        first.note(place, at: 1200)
        #expect(try known()[name(1)] == .init(since: 1000, last: 1200))
        #expect(try known().count == 2)
    }

    @Test func `4,096 keys have places; once the file is full, keys that are gone make room, the longest unused first`()
        throws
    {
        let uses = try KeyUses(directory: directory.path)
        let first = try uses.places(of: (1...KeyUses.limit + 5).map { key($0) }, now: 1000)
        #expect(first.count == KeyUses.limit)
        for place in first.values { uses.note(place, at: 2000) }
        let oldest = try #require(first[name(7)])
        uses.note(oldest, at: 1500)
        // The process that still has the old places no longer notes in them.
        let stays = (1...KeyUses.limit).filter { $0 != 1 && $0 != 7 }.map { key($0) }
        let second = try uses.places(of: stays + [key(9_999)], andIfKnown: [key(1)], now: 3000)
        #expect(second.count == KeyUses.limit)
        uses.note(oldest, at: 4000)
        let known = try known()
        #expect(known[name(9_999)] == .init(since: 3000, last: nil) && known[name(7)] == nil)
        #expect(known[name(2)] == .init(since: 1000, last: 2000))
        // A key that is in the file, but the only one of its tenant, makes room last.
        #expect(second[name(1)] != nil)
        #expect(try uses.places(of: stays + [key(9_999), key(9_998)], andIfKnown: [key(1)], now: 5000)[name(1)] == nil)
    }

    @Test func `a key that becomes the only one of its tenant keeps its history without a gap`() throws {
        let uses = try KeyUses(directory: directory.path)
        _ = try uses.places(of: [key(1), key(2)], now: 1000)
        let alone = try uses.places(of: [], andIfKnown: [key(1), key(3)], now: 2000)
        #expect(alone.count == 1)
        uses.note(try #require(alone[name(1)]), at: 2500)
        _ = try uses.places(of: [key(1), key(4)], now: 3000)
        #expect(try known()[name(1)] == .init(since: 1000, last: 2500))
        #expect(try known()[name(3)] == nil)
    }

    @Test func `another secret under the same name has a history of its own`() throws {
        let uses = try KeyUses(directory: directory.path)
        let old = try #require(try uses.places(of: [key(1)], now: 1000)[name(1)])
        uses.note(old, at: 1500)
        let new = try #require(try uses.places(of: [key(1, secret: 2)], now: 2000)[name(1)])
        #expect(try known() == [name(1): .init(since: 2000, last: nil)])
        // A process that has not read the file again still accepts the old secret.
        uses.note(old, at: 2100)
        #expect(try known() == [name(1): .init(since: 2000, last: nil)])
        uses.note(new, at: 2200)
        #expect(try known() == [name(1): .init(since: 2000, last: 2200)])
    }

    @Test func `a lock that somebody keeps is not waited for long`() throws {
        let uses = try KeyUses(directory: directory.path)
        let number = unsafe open("\(directory.path)/key-uses-1", O_RDWR)
        defer { close(number) }
        try #require(flock(number, LOCK_EX) == 0)
        let start = Instant.now
        #expect(throws: SystemError.self) { try uses.places(of: [key(1)], now: 1000) }
        #expect(Instant.now.since(start) < 10_000_000_000)
        flock(number, LOCK_UN)
        #expect(try uses.places(of: [key(1)], now: 1000).count == 1)
    }

    @Test func `a file that was truncated does not end the process`() throws {
        let uses = try KeyUses(directory: directory.path)
        let place = try #require(try uses.places(of: [key(1)], now: 1000)[name(1)])
        unsafe truncate("\(directory.path)/key-uses-1", 0)
        uses.note(place, at: 2000)
        #expect(try known() == [:])
    }

    @Test func `without a file nothing is known, and no file is made`() {
        #expect(throws: SystemError.self) { try known() }
        #expect(unsafe access("\(directory.path)/key-uses-1", F_OK) != 0)
        #expect(throws: SystemError.self) { _ = try KeyUses(directory: "\(directory.path)/none") }
    }
}
