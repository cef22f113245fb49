import CLinux
import Glibc

/// Runs a program found in PATH to its end, with a descriptor as its standard input. Its standard error is this process'.
///
/// - Parameters:
///   - file: what it has as descriptor 3.
///   - output: is handed what it writes to standard output, as it comes.
/// - Returns: its exit status; 128 and the signal's number if a signal ended it.
package func runProgram(
    _ arguments: [String], input: borrowing Descriptor, file: borrowing Descriptor, output: (Span<UInt8>) -> Void
) throws(SystemError) -> Int32 {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("pipe2") }
    let reading = Descriptor(owning: ends[0])
    let child = try spawn(arguments, input.number, output: Descriptor(owning: ends[1]), file.number)
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            retryingInterrupts { unsafe read(reading.number, bytes.baseAddress, bytes.count) }
        }
        guard count > 0 else { break }
        output(buffer.span.extracting(first: count))
    }
    var status: Int32 = 0
    guard retryingInterrupts({ unsafe waitpid(child, &status, 0) }) == child else { throw SystemError("waitpid") }
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
}

private func spawn(
    _ arguments: [String], _ input: Int32, output: consuming Descriptor, _ file: Int32
) throws(SystemError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    guard unsafe posix_spawn_file_actions_init(&actions) == 0 else {
        throw SystemError("posix_spawn_file_actions_init")
    }
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    for (from, to) in [(input, STDIN_FILENO), (output.number, STDOUT_FILENO), (file, 3)] {
        let result = unsafe posix_spawn_file_actions_adddup2(&actions, from, to)
        guard result == 0 else { throw SystemError("posix_spawn_file_actions_adddup2", result) }
    }
    var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe words.indices { unsafe free(words[index]) } }
    var child: pid_t = 0
    let result = unsafe posix_spawnp(&child, arguments[0], &actions, nil, &words, environ)
    guard result == 0 else { throw SystemError("posix_spawn", result) }
    return child
}
