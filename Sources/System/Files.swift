import Bytes
import CLinux
import Glibc

extension Descriptor {
    /// A descriptor from which `content` can be read: a file in memory, or, if the process may not write files of that
    /// size (RLIMIT_FSIZE), a pipe, whose size the system limits for each user.
    package static func inMemory(holding content: Span<UInt8>) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            return try memoryFile(holding: content)
        } catch {
            return try pipe(holding: content)
        }
    }

    /// A file in memory that holds `content`, at its beginning.
    package static func memoryFile(holding content: Span<UInt8>) throws(SystemError) -> Descriptor {
        let number = unsafe memfd_create("servicedesk-request", MFD_CLOEXEC)
        guard number >= 0 else { throw SystemError("memfd_create") }
        let file = Descriptor(owning: number)
        try file.writeToFile(content)
        guard lseek(number, 0, SEEK_SET) == 0 else { throw SystemError("lseek") }
        return file
    }

    /// Writes all of `content` to a regular file.
    func writeToFile(_ content: Span<UInt8>) throws(SystemError) {
        var written = 0
        while written < content.count {
            switch write(content.extracting(droppingFirst: written)) {
            case .bytes(let count): written += count
            case .failed(let code): throw SystemError("write", code)
            case .wouldBlock, .closed: throw SystemError("write", EIO)
            }
        }
    }

    private static func pipe(holding content: Span<UInt8>) throws(SystemError) -> Descriptor {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { throw SystemError("pipe2") }
        let reading = Descriptor(owning: ends[0])
        let writing = Descriptor(owning: ends[1])
        // A pipe has room for 64 KiB by default (pipe(7)).
        guard let size = Int32(exactly: content.count) else { throw SystemError("fcntl", EINVAL) }
        guard size <= 65_536 || fcntl(writing.number, F_SETPIPE_SIZE, size) >= size else { throw SystemError("fcntl") }
        guard writing.write(content) == .bytes(content.count) else { throw SystemError("write") }
        return reading
    }

    /// Everything from the descriptor's position to the end. More than `limit` bytes are an error.
    package func readToEnd(limit: Int) throws(SystemError) -> [UInt8] {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                retryingInterrupts { unsafe read(number, bytes.baseAddress, bytes.count) }
            }
            guard count >= 0 else { throw SystemError("read") }
            if count == 0 { return content }
            content += buffer[..<count]
            guard content.count <= limit else { throw SystemError("read", EFBIG) }
        }
    }
}

/// Checks that this user may create a file in a directory. Creates nothing.
package func checkCreation(in directory: String) throws(SystemError) {
    var status = stat()
    guard unsafe stat(directory, &status) == 0 else { throw SystemError("stat") }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw SystemError("stat", ENOTDIR) }
    guard unsafe faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0 else { throw SystemError("faccessat") }
}

/// Checks that this user may append to a file, or create it if it does not exist. Changes nothing.
package func checkAppending(to path: String) throws(SystemError) {
    do throws(SystemError) {
        _ = try Descriptor.append(to: path, creating: false)
    } catch {
        guard error.code == ENOENT else { throw error }
        try checkCreation(in: directory(of: try linkTarget(of: path)))
    }
}

/// The path of the file itself if `path` is a symbolic link. The file need not exist.
func linkTarget(of path: String) throws(SystemError) -> String {
    var path = path
    for _ in 0..<40 {
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe target.withUnsafeMutableBytes { bytes in
            unsafe readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard count >= 0 else { return path }
        let text = String(decoding: target[..<count], as: UTF8.self)
        path = text.hasPrefix("/") ? text : "\(directory(of: path))/\(text)"
    }
    throw SystemError("open", ELOOP)
}

func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The content of a file of at most `limit` bytes.
package func readFile(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
    let number = retryingInterrupts { unsafe open(path, O_RDONLY | O_CLOEXEC) }
    guard number >= 0 else { throw SystemError("open") }
    return try Descriptor(owning: number).readToEnd(limit: limit)
}

/// Why a file that holds secrets is not read.
package enum SecretFileFault: Error, Equatable, CustomStringConvertible {
    case unreadable(SystemError)
    /// A directory, a FIFO, a device.
    case notRegular
    /// Others can read it, or its group can write it: the permission bits.
    case exposed(mode: UInt32)
    case tooLong(count: Int, limit: Int)
    case changing
    case empty
    /// It begins or ends with a control character.
    case control(String)

    /// Whether it may be read later though nobody changes anything.
    package var passesByItself: Bool {
        switch self {
        case .unreadable(let error): [EMFILE, ENFILE, ENOMEM, EIO].contains(error.code)
        case .changing: true
        case .notRegular, .exposed, .tooLong, .empty, .control: false
        }
    }

    package var description: String {
        switch self {
        case .unreadable(let error): "cannot be read (\(error))"
        case .notRegular: "is not a regular file"
        case .exposed(let mode):
            "can be read or written by others, or written by its group (mode 0\(String(mode, radix: 8))): chmod 640 it"
        case .tooLong(let count, let limit): "has \(count) bytes: expected at most \(limit)"
        case .changing: "changed while it was being read: try again"
        case .empty: "is empty"
        case .control(let fault): fault
        }
    }
}

/// Reads all of a regular file that only its owner can write and only its owner and group can read. Never blocks on a
/// FIFO, and leaves no copy of the content but the result.
///
/// - Parameter limit: bytes, at most.
package func readSecretFile(_ path: String, limit: Int) throws(SecretFileFault) -> [UInt8] {
    let number = retryingInterrupts { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
    guard number >= 0 else { throw .unreadable(SystemError("open")) }
    let file = Descriptor(owning: number)
    var status = stat()
    guard unsafe fstat(number, &status) == 0 else { throw .unreadable(SystemError("fstat")) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular }
    guard status.st_mode & 0o026 == 0 else { throw .exposed(mode: status.st_mode & 0o777) }
    let size = Int(status.st_size)
    guard size <= limit else { throw .tooLong(count: size, limit: limit) }
    var count = 0
    var failure: SystemError?
    var content = unsafe [UInt8](unsafeUninitializedCapacity: size + 1) { bytes, filled in
        while count <= size {
            let result = retryingInterrupts {
                unsafe read(file.number, bytes.baseAddress! + count, size + 1 - count)
            }
            if result < 0 { failure = SystemError("read") }
            if result <= 0 { break }
            count += result
        }
        filled = count
    }
    if failure == nil && count == size { return content }
    content.wipe()
    throw failure.map { .unreadable($0) } ?? .changing
}

/// Reads the one secret that a file holds, as `readSecretFile` does. A line feed at its end is not part of it.
package func readSecret(_ path: String) throws(SecretFileFault) -> [UInt8] {
    var secret = try readSecretFile(path, limit: 4096)
    if secret.last == UInt8(ascii: "\n") { secret.removeLast() }
    guard !secret.isEmpty else { throw .empty }
    return secret
}

/// Whether the path leads to a regular file or to nothing: not to a directory, a FIFO or a device.
package func isRegularFileOrMissing(_ path: String) -> Bool {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return true }
    return status.st_mode & S_IFMT == S_IFREG
}

/// Reads the secret in a file that another file names, by a path relative to that file's directory.
package func readSecret(_ name: String, besides path: String) throws(SecretFileFault) -> [UInt8] {
    let base = path.lastIndex(of: "/").map { path[..<$0] + "/" } ?? ""
    var secret = try readSecret(name.hasPrefix("/") ? name : "\(base)\(name)")
    guard let fault = controlFault(in: secret) else { return secret }
    secret.wipe()
    throw .control(fault)
}

/// The fault of a value that begins or ends with a control character, which no editor shows, such as the CR of a file from
/// Windows.
package func controlFault(in value: [UInt8]) -> String? {
    for (end, byte) in [("begins", value.first), ("ends", value.last)] {
        guard let byte, byte < 0x20 || byte == 0x7F else { continue }
        let code = (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        return "\(end) with the control character 0x\(code): remove it"
    }
    return nil
}
