import RESP

/// The queue, for tools: what workers and operators do with it.
package struct QueueService {
    private let client: Client
    private let key: [UInt8]

    package init(_ client: Client, key: [UInt8]) {
        self.client = client
        self.key = key
    }

    /// Puts a job in, and returns how long the queue is then.
    package func push(_ job: [UInt8]) throws(ClientFailure) -> Int {
        try integer(try client.call([Array("LPUSH".utf8), key, job]))
    }

    /// The oldest job, which stays where it is; nil where there is none.
    package func oldest() throws(ClientFailure) -> [UInt8]? { try job(at: "-1") }

    /// The newest job, likewise.
    package func newest() throws(ClientFailure) -> [UInt8]? { try job(at: "0") }

    private func job(at index: String) throws(ClientFailure) -> [UInt8]? {
        guard case .bulk(let job) = try client.call([Array("LINDEX".utf8), key, Array(index.utf8)]) else {
            throw .unexpected("expected a bulk string")
        }
        return job
    }

    /// Takes a job out, the oldest where there are several that are the same. Returns false where there is none.
    package func remove(_ job: [UInt8]) throws(ClientFailure) -> Bool {
        try integer(try client.call([Array("LREM".utf8), key, Array("-1".utf8), job])) == 1
    }

    /// The oldest jobs after `skipped` even older ones, at most 1,000, oldest first; they stay where they are.
    package func peek(_ count: Int, after skipped: Int = 0) throws(ClientFailure) -> [[UInt8]] {
        let first = -skipped - min(max(count, 1), 1000)
        let range = [Array("\(first)".utf8), Array("\(-skipped - 1)".utf8)]
        guard case .array(let jobs?) = try client.call([Array("LRANGE".utf8), key] + range) else {
            throw .unexpected("expected an array")
        }
        return jobs.reversed().compactMap { job in if case .bulk(let bytes) = job { bytes } else { nil } }
    }

    /// Puts a message into the queue, and takes entries out of the list `source`, in one step: nothing is lost, and the
    /// message is not queued twice. Returns false where none of the entries is there any longer.
    package func push(
        _ message: [UInt8], inPlaceOf entries: [[UInt8]], in source: [UInt8]
    ) throws(ClientFailure) -> Bool {
        let call = [Array("EVAL".utf8), Array(QueueService.moveScript.utf8), Array("2".utf8), key, source, message]
        return try integer(try client.call(call + entries)) > 0
    }

    /// The push precedes the removal: if Redis refuses it, the entries stay. It follows an LREM that finds nothing, since a
    /// user without the right to take the entries out must not push either: Redis does not roll a script back.
    private static let moveScript = """
        local found = false \
        for n = 2, #ARGV do found = found or redis.call('LPOS', KEYS[2], ARGV[n]) end \
        if not found then return 0 end \
        redis.call('LREM', KEYS[2], 1, 'not ' .. ARGV[2]) \
        local depth = redis.call('LPUSH', KEYS[1], ARGV[1]) \
        for n = 2, #ARGV do redis.call('LREM', KEYS[2], 1, ARGV[n]) end \
        return depth
        """

    /// How many jobs there are.
    package func depth() throws(ClientFailure) -> Int {
        try integer(try client.call([Array("LLEN".utf8), key]))
    }

    private func integer(_ reply: Reply) throws(ClientFailure) -> Int {
        guard case .integer(let number) = reply else { throw .unexpected("expected an integer") }
        return Int(number)
    }
}
