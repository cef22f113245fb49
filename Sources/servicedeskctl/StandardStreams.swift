import EventLoop
import Glibc

/// Standard input and output, byte for byte, with every failure told.
enum StandardStreams {
    /// Bytes of standard input, at most.
    private static let inputLimit = 1_048_576

    /// Set once, before anything else runs.
    nonisolated(unsafe) private static var isInputOpen = true

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Sees to it that a stream which is closed is not mistaken for what is opened next. Ends the program where
    /// standard output is: there is no telling anybody what it was started for.
    static func prepare() {
        _ = signal(SIGPIPE, SIG_IGN)
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
        guard unsafe isInputOpen else { throw Failure(description: "standard input is closed") }
        do throws(SystemError) {
            let input = try Descriptor.duplicate(STDIN_FILENO)
            return try input.readToEnd(limit: inputLimit)
        } catch {
            throw Failure(description: "standard input cannot be read (\(error))")
        }
    }

    /// Writes a line, whole.
    static func write(line: [UInt8]) throws {
        let bytes = line + [0x0A]
        let output = try Descriptor.duplicate(STDOUT_FILENO)
        var written = 0
        while written < bytes.count {
            switch output.write(bytes.span.extracting(droppingFirst: written)) {
            case .bytes(let count): written += count
            case .wouldBlock:
                guard output.wait(for: .writable, until: .now + .seconds(60)) else {
                    throw Failure(description: "standard output has taken nothing for a minute")
                }
            case .closed: throw Failure(description: "standard output takes nothing")
            case .failed(let code):
                throw Failure(description: "standard output cannot be written (\(SystemError.text(code)))")
            }
        }
    }

    static func write(number: Int) throws { try write(line: Array("\(number)".utf8)) }

    static func complain(_ text: String) {
        guard let standardError = try? Descriptor.duplicate(STDERR_FILENO) else { return }
        _ = standardError.write(Array("servicedeskctl: \(text)\n".utf8).span)
    }
}
