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

    private func known() throws -> [KeyUses.Name: KeyUses.Use] { try KeyUses.read(directory: directory.path) }

    @Test func `a use is seen by others at once, and after a restart`() throws {
        do {
            let uses = try KeyUses(directory: directory.path)
            let places = try uses.places(of: [name(1), name(2)], now: 1000)
            uses.note(places[1], at: 1500)
            #expect(try known() == [name(1): .init(since: 1000, last: nil), name(2): .init(since: 1000, last: 1500)])
        }
        let uses = try KeyUses(directory: directory.path)
        let places = try uses.places(of: [name(2), name(3)], now: 2000)
        uses.note(places[0], at: 2500)
        #expect(
            try known() == [
                name(1): .init(since: 1000, last: nil), name(2): .init(since: 1000, last: 2500),
                name(3): .init(since: 2000, last: nil),
            ])
    }

    @Test func `processes that open the file at the same time give a key one place`() throws {
        let (first, second) = (try KeyUses(directory: directory.path), try KeyUses(directory: directory.path))
        let place = try first.places(of: [name(1)], now: 1000)[0]
        let same = try second.places(of: [name(2), name(1)], now: 1001)[1]
        second.note(same, at: 1100)
        first.note(place, at: 1200)
        #expect(try known()[name(1)] == .init(since: 1000, last: 1200))
        #expect(try known().count == 2)
    }

    @Test func `4,096 keys have places; once the file is full, keys that are gone make room, the longest unused first`()
        throws
    {
        let uses = try KeyUses(directory: directory.path)
        let first = try uses.places(of: (1...KeyUses.limit + 5).map(name), now: 1000)
        #expect(first.count == KeyUses.limit)
        for place in first.dropFirst() { uses.note(place, at: 2000) }
        // The process that still has the old places no longer notes in them.
        let stays = (2...KeyUses.limit).map(name)
        let second = try uses.places(of: stays + [name(9_999)], now: 3000)
        #expect(second.count == KeyUses.limit)
        uses.note(first[0], at: 4000)
        let known = try known()
        #expect(known[name(9_999)] == .init(since: 3000, last: nil) && known[name(1)] == nil)
        #expect(known[name(2)] == .init(since: 1000, last: 2000))
    }

    @Test func `a file that was truncated does not end the process`() throws {
        let uses = try KeyUses(directory: directory.path)
        let place = try uses.places(of: [name(1)], now: 1000)[0]
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
