import Delivery
import RESP

/// What is kept of the quarantine, at most.
package struct QuarantineLimits: Sendable {
    /// Entries; 0: nothing is kept.
    package var entries: Int
    /// Seconds that an entry is kept.
    package var age: Int
    /// Entries of one tenant in an hour.
    package var tenantEntries: Int

    package init(entries: Int, age: Int, tenantEntries: Int) {
        (self.entries, self.age, self.tenantEntries) = (entries, age, tenantEntries)
    }
}

/// Requests that were refused, in a stream beside the queue.
package struct QuarantineService {
    /// Entries that are read at once: with the largest bodies, some 13 MB.
    private static let page = 100

    let client: Client
    let stream: [UInt8]
    private let countPrefix: [UInt8]

    package init(_ client: Client, queue: String) {
        self.client = client
        let key = QueueKeys.quarantine(of: queue)
        stream = Array(key.utf8)
        countPrefix = Array("\(key):".utf8)
    }

    /// An entry: its id, and its fields in their order.
    package struct Entry {
        package let id: [UInt8]
        package let fields: [(name: [UInt8], value: [UInt8])]

        package subscript(name: String) -> [UInt8]? { fields.first { $0.name.elementsEqual(name.utf8) }?.value }
    }

    /// One script, so that an entry is never there without its bounds. Redis does not roll a script back: each command
    /// that it could refuse after XADD for want of a right is also called before it, where it does no harm. The count has an
    /// expiry from the start. Ages are measured from the new entry's id, which holds Redis' time. The stream expires one age
    /// after its last entry, when all of its entries are too old.
    private static let script = """
        redis.call('SET', KEYS[2], 0, 'EX', 3600, 'NX') \
        if redis.call('INCRBY', KEYS[2], 0) >= tonumber(ARGV[1]) then return 0 end \
        redis.call('EXPIRE', KEYS[1], ARGV[3]) \
        redis.call('XTRIM', KEYS[1], 'MINID', 0) \
        local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', unpack(ARGV, 4)) \
        local oldest = tonumber(string.match(id, '^%d+')) - ARGV[3] * 1000 \
        redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', math.max(oldest, 0))) \
        redis.call('EXPIRE', KEYS[1], ARGV[3]) \
        redis.call('INCRBY', KEYS[2], 1) \
        return 1
        """

    /// Keeps an entry. Returns false if its owner has as many of this hour as the limits allow.
    ///
    /// - Parameter owner: whose entries are counted together.
    package func add(
        _ fields: [(name: String, value: [UInt8])], of owner: [UInt8], within limits: QuarantineLimits
    ) throws(ClientFailure) -> Bool {
        let numbers = [limits.tenantEntries, limits.entries, limits.age].map { Array("\($0)".utf8) }
        let head = ["EVAL", QuarantineService.script, "2"].map { Array($0.utf8) }
        let reply = try client.call(
            head + [stream, countPrefix + owner] + numbers + fields.flatMap { [Array($0.name.utf8), $0.value] })
        guard case .integer(let kept) = reply else { throw .unexpected("expected an integer") }
        return kept == 1
    }

    /// Hands out all entries, oldest first. Those that have been handed out may be removed meanwhile.
    package func visit<Failure: Error>(_ body: (Entry) throws(Failure) -> Void) throws {
        var start = Array("-".utf8)
        while true {
            let entries = try range(from: start, to: Array("+".utf8))
            for entry in entries { try body(entry) }
            guard entries.count == QuarantineService.page, let last = entries.last else { return }
            start = [UInt8(ascii: "(")] + last.id
        }
    }

    /// The entry with an id; nil if there is none.
    package func entry(_ id: [UInt8]) throws(ClientFailure) -> Entry? { try range(from: id, to: id).first }

    private func range(from start: [UInt8], to end: [UInt8]) throws(ClientFailure) -> [Entry] {
        let count = [Array("COUNT".utf8), Array("\(QuarantineService.page)".utf8)]
        return try QuarantineService.entries(try client.call([Array("XRANGE".utf8), stream, start, end] + count))
    }

    /// The entries in a reply to XRANGE.
    static func entries(_ reply: Reply) throws(ClientFailure) -> [Entry] {
        guard case .array(let replies?) = reply else { throw .unexpected("expected an array") }
        return try replies.map { reply throws(ClientFailure) in
            guard let entry = Entry(reply) else { throw .unexpected("expected an entry of a stream") }
            return entry
        }
    }

    /// Removes an entry. Returns false if it is not there.
    package func remove(_ id: [UInt8]) throws(ClientFailure) -> Bool {
        guard case .integer(let count) = try client.call([Array("XDEL".utf8), stream, id]) else {
            throw .unexpected("expected an integer")
        }
        return count == 1
    }
}

extension QuarantineService.Entry {
    /// Nil if the reply is not an entry.
    init?(_ reply: Reply) {
        guard case .array(let parts?) = reply, parts.count == 2, case .bulk(let id?) = parts[0],
            case .array(let values?) = parts[1]
        else { return nil }
        self.id = id
        let texts = values.map { value in if case .bulk(let text?) = value { text } else { [UInt8]() } }
        fields = stride(from: 0, to: texts.count - 1, by: 2).map { (texts[$0], texts[$0 + 1]) }
    }
}
