import RESP
import TestSupport
import Testing

struct CommandTests {
    private func text(_ build: (inout [UInt8]) -> Void) -> String {
        var bytes: [UInt8] = []
        build(&bytes)
        return bytes.text
    }

    @Test func `a command is an array of bulk strings`() {
        let expected = "*3\r\n$5\r\nLPUSH\r\n$17\r\nenhancement:queue\r\n$2\r\n{}\r\n"
        #expect(text { $0.append(command: "LPUSH", "enhancement:queue", "{}") } == expected)
        #expect(text { $0.append(command: "PING") } == "*1\r\n$4\r\nPING\r\n")
    }

    @Test func `lengths of arguments count bytes, not characters`() {
        #expect(text { $0.append(command: "GET", "é😀") } == "*2\r\n$3\r\nGET\r\n$6\r\né😀\r\n")
        #expect(text { $0.append(command: "SET", "", "a\r\nb\0") } == "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\nb\0\r\n")
    }

    @Test func `an argument that is not text is written unchanged`() {
        let argument: [UInt8] = [0xFF, 0x00, 0x0D, 0x0A, 0x24]
        var bytes = utf8("before")
        bytes.append(commandOf: 1)
        bytes.append(argument: argument.span)
        #expect(bytes == utf8("before*1\r\n$5\r\n") + argument + utf8("\r\n"))
    }

    @Test func `a written command is read back as an array of its arguments`() {
        var bytes: [UInt8] = []
        bytes.append(command: "EVAL", "return 1", "0")
        let parsing = Parsing([bytes])
        #expect(parsing.replies == [.array(["EVAL", "return 1", "0"].map { .bulk(utf8($0)) })])
    }
}
