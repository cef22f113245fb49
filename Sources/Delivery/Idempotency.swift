import Bytes
import RESP

/// The key that a named delivery leaves in Redis, and what is written there.
package struct IdempotencyKey: Sendable {
    package let key: [UInt8]
    package let value: [UInt8]

    package init(key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// Makes pushing a named delivery twice the same as once: a script pushes the job and, in the same step, sets a key for
/// the delivery whose value is `<job_id>:<SHA-256 of the body>`. Where the key is there already it pushes nothing, and
/// answers the value.
package struct Idempotency: Sendable {
    /// The push first and the key after it: the other way round a push that failed would leave a key, and the sender's
    /// retry would be swallowed. A repeat writes too where replicas are waited for (`ARGV[4]`), or WAIT would not wait for the
    /// first job.
    package static let script = """
        local seen = redis.call('GET', KEYS[2]) \
        if seen then \
        if ARGV[4] == '1' then redis.call('SET', KEYS[2], seen, 'KEEPTTL') end \
        return seen end \
        \(ensuringSet(key: "KEYS[2]", value: "ARGV[2]", window: "ARGV[3]")) \
        local depth = redis.call('LPUSH', KEYS[1], ARGV[1]) \
        redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) \
        return depth
        """
    /// SHA-1 of the script, as SCRIPT LOAD answers it. A test compares them.
    package static let scriptDigest = "c94af690889b3473d139dd69b42842f41e085b36"

    /// What a script does before it pushes a job whose key it sets afterwards: it ends where it may not SET that key, which
    /// does not exist yet. Redis refuses a script's later commands only for want of rights, and undoes none before. Redis 6
    /// cannot be asked about rights: there a SET that changes nothing (`XX`) is tried.
    ///
    /// - Parameters: the Lua expressions for the arguments of that SET.
    package static func ensuringSet(key: String, value: String, window: String) -> String {
        """
        if not redis.acl_check_cmd then redis.call('SET', \(key), '', 'XX') \
        elseif not redis.acl_check_cmd('SET', \(key), \(value), 'EX', \(window)) then \
        return redis.error_reply('NOPERM the user may not SET the mark of a delivery') end
        """
    }

    private static let jobIDLength = 36
    private static let valueLength = jobIDLength + 1 + 64

    private let keyPrefix: [UInt8]
    private let digestHead: [UInt8]
    private let scriptHead: [UInt8]
    private let queueArguments: [UInt8]
    private let tail: [UInt8]

    /// - Parameters:
    ///   - window: seconds for which a key is kept.
    ///   - waitsForReplicas: whether WAIT follows.
    package init(queue: String, window: Int, waitsForReplicas: Bool) {
        keyPrefix = Array(QueueKeys.beside(queue, "seen:").utf8)
        digestHead = Idempotency.head("EVALSHA", Idempotency.scriptDigest)
        scriptHead = Idempotency.head("EVAL", Idempotency.script)
        var queueArguments: [UInt8] = []
        queueArguments.append(argument: "2")
        queueArguments.append(argument: queue)
        self.queueArguments = queueArguments
        var tail: [UInt8] = []
        tail.append(argument: String(window))
        tail.append(argument: waitsForReplicas ? "1" : "0")
        self.tail = tail
    }

    private static func head(_ name: String, _ script: String) -> [UInt8] {
        var head: [UInt8] = []
        head.append(commandOf: 9)
        head.append(argument: name)
        head.append(argument: script)
        return head
    }

    // MARK: Keys and values

    /// The key of a delivery, and the value that the job would leave in it. A signed id has `signed/` before the tenant: no
    /// tenant's id has a slash, so no unsigned id can take a signed one's key.
    ///
    /// - Parameters:
    ///   - isSigned: whether the sender's key proves that the id is its own.
    ///   - jobID: 36 characters.
    ///   - digest: the SHA-256 of the body, 32 bytes.
    package func key(
        tenantID: [UInt8], deliveryID: [UInt8], isSigned: Bool = false, jobID: [UInt8], digest: Span<UInt8>
    ) -> IdempotencyKey {
        let owner = isSigned ? Array("signed/".utf8) + tenantID : tenantID
        return IdempotencyKey(
            key: keyPrefix + owner + [UInt8(ascii: ":")] + deliveryID,
            value: Idempotency.value(jobID: jobID, digest: digest))
    }

    private static func value(jobID: [UInt8], digest: Span<UInt8>) -> [UInt8] {
        var value = jobID
        value.append(UInt8(ascii: ":"))
        value.append(hex: digest)
        return value
    }

    package enum Verdict: Equatable {
        /// The value is this job's own: an attempt that was thought lost had succeeded.
        case own
        /// The same payload was queued before, as this job.
        case repeated(jobID: [UInt8])
        /// The name was used for another payload.
        case conflict
        /// Not a value that this program writes.
        case foreign
    }

    /// What the value of an existing key says about a delivery.
    package static func verdict(on found: [UInt8], jobID: [UInt8], digest: Span<UInt8>) -> Verdict {
        guard found.count == valueLength, found[jobIDLength] == UInt8(ascii: ":"),
            found[..<jobIDLength].allSatisfy({ $0.hexValue != nil || $0 == UInt8(ascii: "-") }),
            found[(jobIDLength + 1)...].allSatisfy({ $0.hexValue != nil })
        else { return .foreign }
        let own = value(jobID: jobID, digest: digest)
        if found == own { return .own }
        guard found[jobIDLength...] == own[jobIDLength...] else { return .conflict }
        return .repeated(jobID: Array(found[..<jobIDLength]))
    }

    // MARK: Commands

    /// `EVALSHA digest 2 queue key job value window waits`
    func append(_ job: Span<UInt8>, _ key: IdempotencyKey, to output: inout [UInt8]) {
        output.append(digestHead.span)
        output.append(queueArguments.span)
        output.append(argument: key.key.span)
        output.append(argument: job)
        output.append(argument: key.value.span)
        output.append(tail.span)
    }

    /// The same command with the script itself in place of its digest.
    func withScript(_ command: [UInt8]) -> [UInt8] {
        scriptHead + command[digestHead.count...]
    }
}
