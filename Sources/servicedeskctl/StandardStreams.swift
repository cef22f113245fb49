import Bytes
import Glibc
import System

/// Why a standard stream could not be read or written.
struct StandardStreamFailure: Error, CustomStringConvertible {
    let description: String
}

/// Standard input and output, byte for byte, with every failure told.
enum StandardStreams {
    /// Bytes of standard input, at most.
    private static let inputLimit = 1_048_576
    /// Seconds in which standard output must take something.
    private static let outputTimeout = 60

    /// Set once, before anything else runs.
    nonisolated(unsafe) private static var isInputOpen = true

    /// Opens /dev/null in place of closed streams, so that nothing opened later takes their numbers. Exits with status
    /// 1 if standard output is closed: the result could not be printed.
    static func prepare() {
        _ = signal(SIGPIPE, SIG_IGN)
        // A file that would grow beyond the limit is an error with its reason (EFBIG).
        _ = signal(SIGXFSZ, SIG_IGN)
        unsafe isInputOpen = fcntl(STDIN_FILENO, F_GETFD) != -1
        let isOutputOpen = fcntl(STDOUT_FILENO, F_GETFD) != -1
        occupyStandardDescriptors()
        guard isOutputOpen else {
            complain("standard output is closed")
            exit(1)
        }
    }

    /// Standard input from where it stands to its end.
    static func read() throws -> [UInt8] {
        guard unsafe isInputOpen else { throw StandardStreamFailure(description: "standard input is closed") }
        do throws(SystemError) {
            let input = try Descriptor.duplicate(STDIN_FILENO)
            return try input.readToEnd(limit: inputLimit)
        } catch {
            throw StandardStreamFailure(description: "standard input cannot be read (\(error))")
        }
    }

    /// Writes a line, whole.
    static func write(line: [UInt8]) throws { try write(line + [.lineFeed]) }

    /// Writes bytes as they are.
    static func write(_ bytes: [UInt8]) throws {
        let output = try Descriptor.duplicate(STDOUT_FILENO)
        var written = 0
        while written < bytes.count {
            switch output.write(bytes.span.extracting(droppingFirst: written)) {
            case .bytes(let count): written += count
            case .wouldBlock:
                guard output.wait(for: .writable, until: .now + .seconds(Double(outputTimeout))) else {
                    throw StandardStreamFailure(
                        description: "standard output accepted nothing for \(outputTimeout) s: is its reader stuck?")
                }
            case .closed: throw StandardStreamFailure(description: "standard output accepts nothing")
            case .failed(let code):
                throw StandardStreamFailure(
                    description: "standard output cannot be written (\(SystemError.text(code)))")
            }
        }
    }

    static func write(number: Int) throws { try write(line: Array("\(number)".utf8)) }

    /// Writes a line to standard error. Its text may be untrusted.
    static func complain(_ text: String) {
        let line = String(decoding: TerminalText.line(Array(text.utf8)), as: UTF8.self)
        writeError("servicedeskctl: \(line)\n")
    }

    static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes to standard error, as it is.
    static func writeError(_ text: String) {
        guard let standardError = try? Descriptor.duplicate(STDERR_FILENO) else { return }
        _ = standardError.write(Array(text.utf8).span)
    }
}
