import RESP
import TestSupport
import Testing

struct FuzzTests {
    private static let seeds = [
        ":1\r\n", "+OK\r\n-ERR wrong\r\n:-123\r\n$5\r\nhello\r\n$-1\r\n",
        "*3\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n*-1\r\n+x\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
    ].map { utf8($0) }

    private static let tokens = [
        "\r\n", "\r", "\n", "*", "$", ":", "+", "-", "-1", "0", "99999999999999999999", "9223372036854775807",
        "-9223372036854775808", "1048576", "1048577", "1024", "*1\r\n", "*2\r\n", "$1\r\n", "*1024\r\n", ":0\r\n", "x",
    ].map { utf8($0) }

    @Test(arguments: 0..<4)
    func `spoilt replies parse the same whole, in two pieces and byte by byte`(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        for _ in 0..<5000 {
            let bytes = random.spoil(FuzzTests.seeds[seed], with: FuzzTests.tokens)
            let whole = Parsing([bytes])
            let cut = random.below(bytes.count + 1)
            let halves = Parsing([Array(bytes[..<cut]), Array(bytes[cut...])], discards: cut % 2 == 0)
            if halves != whole || Parsing(bytes.map { [$0] }) != whole {
                Issue.record("\(bytes.text.debugDescription)")
            }
        }
    }

    @Test func `random bytes parse the same whole and byte by byte, and do not trap`() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<10_000 {
            let bytes = utf8(random.pick(["", "*2\r\n", "$3\r\n", ":", "+"])) + random.bytes(random.below(20))
            if Parsing(bytes.map { [$0] }) != Parsing([bytes]) { Issue.record("\(bytes)") }
        }
    }
}
