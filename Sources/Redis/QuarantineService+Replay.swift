package import Delivery
import RESP

/// Moving a request on, from the quarantine to the queue.
extension QuarantineService {
    package enum Replay: Equatable {
        case queued
        /// The entry is not there, so somebody else has replayed or dropped it.
        case gone
        /// Its delivery was queued before; the value of its idempotency key. If that was with the same body, the entry has been
        /// removed.
        case existing([UInt8])
    }

    /// Puts an entry's job into a queue and removes the entry, in one step: whatever happens, the job is queued once.
    ///
    /// - Parameters:
    ///   - name: the key of a delivery with a name that is remembered.
    ///   - window: seconds for which it is remembered.
    package func replay(
        _ entry: [UInt8], as job: [UInt8], to queue: [UInt8], name: IdempotencyKey?, window: Int
    ) throws(ClientFailure) -> Replay {
        let head = ["EVAL", QuarantineService.replayScript, name == nil ? "2" : "3"].map { Array($0.utf8) }
        let keys = [queue, stream] + (name.map { [$0.key] } ?? [])
        let arguments = [entry, job] + (name.map { [$0.value, Array("\(window)".utf8)] } ?? [])
        switch try client.call(head + keys + arguments) {
        case .integer: return .queued
        case .bulk(nil): return .gone
        case .bulk(let value?): return .existing(value)
        default: throw .unexpected("expected an integer or a bulk string")
        }
    }

    /// Redis does not roll a script back: what it could refuse after the push is tried before, by commands that change nothing,
    /// or asked for. A value ends with a colon and the digest of the body.
    private static let replayScript = """
        if #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1]) == 0 then return false end \
        redis.call('XDEL', KEYS[2], '0-0') \
        if KEYS[3] then \
        local seen = redis.call('GET', KEYS[3]) \
        if seen then \
        if #seen == #ARGV[3] and string.sub(seen, -65) == string.sub(ARGV[3], -65) then \
        redis.call('XDEL', KEYS[2], ARGV[1]) end \
        return seen end \
        \(Idempotency.ensuringSet(key: "KEYS[3]", value: "ARGV[3]", window: "ARGV[4]")) \
        end \
        redis.call('LPUSH', KEYS[1], ARGV[2]) \
        if KEYS[3] then redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[4]) end \
        redis.call('XDEL', KEYS[2], ARGV[1]) \
        return 1
        """
}
