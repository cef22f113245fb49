import COpenSSL
import TestSupport
import Testing

@testable import Delivery

struct IdempotencyTests {
    private let id = utf8("00000000-0000-4000-8000-000000000001")
    private let other = utf8("00000000-0000-4000-8000-000000000002")
    private let digest = utf8("0123456789abcdefghijklmnopqrstuv")

    private func idempotency(queue: String = "q", waits: Bool = false) -> Idempotency {
        Idempotency(queue: queue, window: 60, waitsForReplicas: waits)
    }

    private func key(_ queue: String, jobID: [UInt8]? = nil, digest: [UInt8]? = nil) -> IdempotencyKey {
        let digest = digest ?? self.digest
        return idempotency(queue: queue).key(
            tenantID: utf8("acme"), deliveryID: utf8("msg_1:2"), jobID: jobID ?? id, digest: digest.span)
    }

    // MARK: Keys and values

    @Test(arguments: [
        ("enhancement:queue", "{enhancement:queue}:seen:acme:msg_1:2"), ("the queue", "{the queue}:seen:acme:msg_1:2"),
        ("{enhancement}:queue", "{enhancement}:queue:seen:acme:msg_1:2"), ("a{b}c{d}", "a{b}c{d}:seen:acme:msg_1:2"),
        ("a{b", "{a{b}:seen:acme:msg_1:2"), ("{}x", "{{}x}:seen:acme:msg_1:2"), ("}a{", "{}a{}:seen:acme:msg_1:2"),
    ])
    func `the key has the hash tag of the queue`(queue: String, expected: String) {
        #expect(key(queue).key.text == expected)
    }

    @Test func `the value is the job's id and the body's digest`() {
        let digits = "303132333435363738396162636465666768696a6b6c6d6e6f70717273747576"
        #expect(key("q").value.text == "\(id.text):\(digits)")
    }

    private func verdict(_ found: [UInt8]) -> Idempotency.Verdict {
        Idempotency.verdict(on: found, jobID: id, digest: digest.span)
    }

    @Test func `a value tells repeats from conflicts`() {
        #expect(verdict(key("q").value) == .own)
        let first = key("q", jobID: other).value
        #expect(verdict(first) == .repeated(jobID: other))
        for index in 0..<32 {
            var changed = digest
            changed[index] ^= 1
            #expect(verdict(key("q", jobID: other, digest: changed).value) == .conflict, "every byte of it counts")
        }
    }

    @Test func `a value that this program does not write is nobody's`() {
        let first = key("q", jobID: other).value
        var junk = [[], utf8("junk"), Array(first.dropLast()), first + utf8("0"), Array(repeating: 0x20, count: 101)]
        for index in first.indices {
            var changed = first
            changed[index] = UInt8(ascii: "z")
            junk.append(changed)
        }
        for value in junk { #expect(verdict(value) == .foreign) }
    }

    // MARK: Commands

    @Test func `the digest is that of the script`() {
        let script = utf8(Idempotency.script)
        var digest = [UInt8](repeating: 0, count: 20)
        _ = unsafe SHA1(script, script.count, &digest)
        let hex = digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(hex == Idempotency.scriptDigest)
    }

    /// The order that an interruption must not turn round.
    @Test func `the script pushes before it sets the key`() throws {
        let push = try #require(Idempotency.script.firstRange(of: "'LPUSH'"))
        let set = try #require(Idempotency.script.firstRange(of: "call('SET', KEYS[2], ARGV[2]"))
        #expect(push.upperBound < set.lowerBound)
    }

    @Test(arguments: [false, true])
    func `a named push is the script by its digest, or the script itself`(waits: Bool) {
        let idempotency = idempotency(waits: waits)
        let key = IdempotencyKey(key: utf8("{q}:seen:a:b"), value: utf8("v"))
        let tail = ["2", "q", "{q}:seen:a:b", "job", "v", "60", waits ? "1" : "0"]
        var output = utf8("!")
        idempotency.append(utf8("job").span, key, to: &output)
        #expect(output == utf8("!") + resp(["EVALSHA", Idempotency.scriptDigest] + tail))
        #expect(idempotency.withScript(Array(output.dropFirst())) == resp(["EVAL", Idempotency.script] + tail))
    }

    @Test(arguments: ["{\"a\":\"é\r\n\"}", ""])
    func `a plain push is LPUSH`(job: String) {
        var output = utf8("!")
        PushCommand(queue: "q").append(utf8(job).span, to: &output)
        #expect(output == utf8("!") + resp(["LPUSH", "q", job]))
    }

    private func resp(_ arguments: [String]) -> [UInt8] {
        utf8("*\(arguments.count)\r\n" + arguments.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined())
    }
}
