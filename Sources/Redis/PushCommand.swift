import Bytes
import RESP

/// What makes a push of a named delivery the same as the first: written beside the job, in the same script.
package struct Mark {
    package let key: [UInt8]
    package let value: [UInt8]

    package init(key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// Writes the commands that push jobs.
struct PushCommand {
    /// The push first and the mark after it: the other way round a push that failed would leave a mark, and the sender's
    /// retry would be swallowed. Redis refuses a script's later commands only for want of rights, so these are asked for
    /// before. A repeat writes too where replicas are waited for (`ARGV[4]`), or WAIT would not wait for the first job.
    static let script = """
        local seen = redis.call('GET', KEYS[2]) \
        if seen then \
        if ARGV[4] == '1' then redis.call('SET', KEYS[2], seen, 'KEEPTTL') end \
        return seen end \
        if redis.acl_check_cmd and not redis.acl_check_cmd('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) then \
        return redis.error_reply('NOPERM the user may not SET the mark of a delivery') end \
        local depth = redis.call('LPUSH', KEYS[1], ARGV[1]) \
        redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) \
        return depth
        """
    /// SHA-1 of the script, as SCRIPT LOAD answers it. A test compares them.
    static let scriptDigest = "6704bc988344dea387605efcf11e048a821a7efc"

    private let plainHead: [UInt8]
    private let digestHead: [UInt8]
    private let scriptHead: [UInt8]
    private let keys: [UInt8]
    private let markTail: [UInt8]

    /// - Parameters:
    ///   - window: seconds for which a mark is kept.
    ///   - waits: whether replicas are waited for.
    init(queue: String, window: Int, waits: Bool) {
        var plainHead: [UInt8] = []
        plainHead.append(commandOf: 3)
        plainHead.append(argument: "LPUSH")
        plainHead.append(argument: queue)
        self.plainHead = plainHead
        digestHead = PushCommand.scriptHead("EVALSHA", PushCommand.scriptDigest)
        scriptHead = PushCommand.scriptHead("EVAL", PushCommand.script)
        var keys: [UInt8] = []
        keys.append(argument: "2")
        keys.append(argument: queue)
        self.keys = keys
        var markTail: [UInt8] = []
        markTail.append(argument: String(window))
        markTail.append(argument: waits ? "1" : "0")
        self.markTail = markTail
    }

    private static func scriptHead(_ name: String, _ script: String) -> [UInt8] {
        var head: [UInt8] = []
        head.append(commandOf: 9)
        head.append(argument: name)
        head.append(argument: script)
        return head
    }

    /// `LPUSH queue job`
    func append(_ job: Span<UInt8>, to output: inout [UInt8]) {
        output.append(plainHead.span)
        output.append(argument: job)
    }

    /// `EVALSHA script 2 queue mark job value window waits`
    func append(_ job: Span<UInt8>, marked mark: Mark, to output: inout [UInt8]) {
        output.append(digestHead.span)
        output.append(keys.span)
        output.append(argument: mark.key.span)
        output.append(argument: job)
        output.append(argument: mark.value.span)
        output.append(markTail.span)
    }

    /// The same command with the script itself in place of its digest.
    func withScript(_ command: Span<UInt8>) -> [UInt8] {
        var whole = scriptHead
        whole.append(command.extracting(droppingFirst: digestHead.count))
        return whole
    }
}
