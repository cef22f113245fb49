/// When each key was last used: a file that the processes of one socket share, and that outlives them.
///
/// Its words are: one that tells the key's secret from others, when its history begins, and when it was last used, or 0.
/// A use is a single store.
package final class KeyUses: Sendable {
    /// Keys whose uses are noted, at most.
    package static let limit = 4096
    private enum Word { static let secret = 0, since = 1, last = 2 }
    private static let layout = SlotFile.Layout(file: "key-uses-1", slots: limit, words: 3)

    package typealias Name = SlotFile.Name

    /// A key whose uses are to be noted. Another secret under the same name has a history of its own.
    package struct Key: Sendable {
        package let name: Name
        fileprivate let secret: UInt64

        /// - Parameter secret: tells the secret from others.
        package init(_ name: Name, secret: UInt64) { (self.name, self.secret) = (name, secret) }
    }

    /// Where the uses of a key are noted.
    package struct Place: Sendable {
        fileprivate let place: SlotFile.Place
        fileprivate let secret: UInt64
    }

    /// What is known of a key.
    package struct Use: Equatable, Sendable {
        /// Seconds since 1970 from which on no use was missed.
        package let since: Int
        /// Seconds since 1970; nil if it was not used since.
        package let last: Int?
    }

    private let file: SlotFile

    /// Opens the file in a directory, or makes it.
    package init(directory: String) throws(SystemError) {
        file = try SlotFile(directory: directory, KeyUses.layout)
    }

    /// The places of the first 4,096 keys. Those that have none yet get one, and their history begins now; keys that are not
    /// among these lose theirs once the file is full. Waits for the lock, but not for long.
    ///
    /// - Parameters:
    ///   - others: keys that have a place only if they had one before, so that no use is missed that `since` covers.
    ///   - now: seconds since 1970.
    package func places(
        of keys: [Key], andIfKnown others: [Key] = [], now: Int
    ) throws(SystemError) -> [Name: Place] {
        var secrets: [Name: UInt64] = [:]
        for key in others + keys { secrets[key.name] = key.secret }
        let places = try file.places(of: keys.map(\.name), andIfKnown: others.map(\.name), leastFirst: Word.last) {
            let secret = secrets[$0.name] ?? 0
            let isCurrent = file.isOwn($0) && file.word(Word.secret, of: $0) == secret
            return isCurrent ? nil : [secret, UInt64(max(now, 0)), 0]
        }
        return places.mapValues { Place(place: $0, secret: secrets[$0.name] ?? 0) }
    }

    /// Notes a use, unless the place belongs to another key by now.
    ///
    /// - Parameter now: seconds since 1970.
    package func note(_ place: Place, at now: Int) {
        let time = UInt64(max(now, 0))
        guard file.word(Word.last, of: place.place) != time, file.isOwn(place.place),
            file.word(Word.secret, of: place.place) == place.secret
        else { return }
        file.set(Word.last, of: place.place, to: time)
    }

    /// What is known of each key that has a place.
    package static func read(directory: String) throws(SystemError) -> [Name: Use] {
        try SlotFile.read(layout, directory: directory).mapValues { words in
            let last = words[Word.last] == 0 ? nil : Int(truncatingIfNeeded: words[Word.last])
            return Use(since: Int(truncatingIfNeeded: words[Word.since]), last: last)
        }
    }
}
