import TestSupport
import Testing

@testable import Delivery

struct ErrorReplyTests {
    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", ErrorReply.busy),
        (
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            .waitInterrupted
        ),
        ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", .busy),
        ("TRYAGAIN Multiple keys request during rehashing of slot", .busy),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", .busy),
        ("CLUSTERDOWN The cluster is down", .busy),
        ("READONLY You can't write against a read only replica.", .notPrimary),
        ("MOVED 3999 127.0.0.1:6381", .elsewhere),
        ("ASK 3999 127.0.0.1:6381", .elsewhere),
        ("NOREPLICAS Not enough good replicas to write.", .tooFewReplicas),
        ("OOM command not allowed when used memory > 'maxmemory'.", .writesRefused),
        (
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            .writesRefused
        ),
        ("NOAUTH Authentication required.", .notAuthenticated),
        ("ERR max number of clients reached", .tooManyClients),
        ("ERR max number of clients + cluster connections reached", .misconfigured),
        ("NOSCRIPT No matching script. Please use EVAL.", .unknownScript),
        ("ERR Protocol error: invalid bulk length", .protocolError),
        ("ERR WAIT cannot be used with replica instances. Please also note", .notPrimary),
        // Before Redis 7.0, from inside a script.
        (
            "ERR Error running script (call to f_67): @user_script:1: @user_script: 1: -READONLY You can't write",
            .notPrimary
        ),
        (
            "ERR Error running script (call to f_67): @user_script:1: @user_script: 1: -OOM command not allowed",
            .writesRefused
        ),
        (
            "ERR Error running script (call to f_67): @user_script:1: @user_script: 1: -NOREPLICAS Not enough",
            .tooFewReplicas
        ),
        ("ERR Error running script (call to f_67): @user_script:1: @user_script: 1: -MISCONF Redis is", .writesRefused),
        ("ERR Error running script (call to f_67): @user_script:1: attempt to call a nil value", .misconfigured),
        ("ERR Error running script: -lower", .misconfigured), ("ERR Error running script: -", .misconfigured),
        ("WRONGPASS invalid username-password pair or user is disabled.", .misconfigured),
        ("NOPERM this user has no permissions to run the 'lpush' command", .misconfigured),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", .misconfigured),
        ("CROSSSLOT Keys in request don't hash to the same slot", .misconfigured),
        ("NOPROTO unsupported protocol version", .misconfigured),
        ("DENIED Redis is running in protected mode", .protectedMode),
        ("ERR unknown command 'LPUSH'", .misconfigured), ("ERR", .misconfigured), ("", .misconfigured),
        // The first word alone, and all of it.
        ("ERR LOADING", .misconfigured), ("LOADINGS x", .misconfigured), ("loading x", .misconfigured),
        (" LOADING", .misconfigured), ("NOAUTH", .notAuthenticated), ("OOM\tx", .misconfigured),
        ("Protocol error", .misconfigured), ("ERR  Protocol error", .misconfigured),
    ])
    func `an error reply's beginning decides what it means`(text: String, expected: ErrorReply) {
        let bytes = utf8(text)
        #expect(ErrorReply(bytes.span) == expected)
        #expect(!expected.explanation.isEmpty)
    }

    @Test(arguments: [
        ("ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You", "READONLY"),
        ("ERR Error running script (call to f_1): the ticket: -text", "ERR"),
        (
            "ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:1.",
            "NOPERM"
        ),
        (
            "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: The user executing the script can't "
                + "access at least one of the keys mentioned in the command arguments", "NOPERM"
        ),
        ("ERR ACL failure in script: User u has no permissions to run the 'xadd' command script: on x.", "NOPERM"),
        ("ERR ACL failure", "ERR"), ("WRONGTYPE Operation", "WRONGTYPE"), ("ERR", "ERR"), ("A1 x", "A1"),
        ("", "unnamed"), (" ERR", "unnamed"),
        ("err x", "unnamed"), ("{\"ticket\":1}", "unnamed"), ("SECRET-1 x", "unnamed"), ("GEHEIM\u{e9} x", "unnamed"),
        (String(repeating: "A", count: 32) + " x", String(repeating: "A", count: 32)),
        (String(repeating: "A", count: 33) + " x", "unnamed"), ("ERR\nfake line", "unnamed"), ("\u{0}", "unnamed"),
    ])
    func `only a first word of capital letters and digits is repeated`(text: String, expected: String) {
        let bytes = utf8(text)
        #expect(ErrorReply.word(of: bytes.span) == expected)
    }

    @Test func `the first word never has more than 32 letters, whatever comes`() {
        var random = SplitMix64(seed: 4)
        for _ in 0..<20_000 {
            let bytes = random.spoil(utf8("WRONGTYPE Operation"), with: [utf8("ERR "), utf8("\r\n"), random.bytes(40)])
            let word = ErrorReply.word(of: bytes.span)
            #expect(
                word == "unnamed" || word.utf8.allSatisfy { (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) })
            #expect((1...32).contains(word.utf8.count))
        }
    }

    @Test func `every error is explained in words of its own`() {
        #expect(Set(ErrorReply.allCases.map(\.explanation)).count == ErrorReply.allCases.count)
    }
}
