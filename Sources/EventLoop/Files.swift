import CLinux
import Glibc

extension Descriptor {
    /// A file in memory (memfd_create(2)) that holds `content`, to be read from its beginning.
    package static func inMemory(holding content: Span<UInt8>) throws(SystemError) -> Descriptor {
        let number = unsafe memfd_create("servicedesk-request", 1)  // MFD_CLOEXEC
        guard number >= 0 else { throw SystemError("memfd_create") }
        let file = Descriptor(owning: number)
        guard file.write(content) == .bytes(content.count) else { throw SystemError("write") }
        guard lseek(number, 0, SEEK_SET) == 0 else { throw SystemError("lseek") }
        return file
    }

    /// What is left to be read, from where the descriptor stands, of at most `limit` bytes.
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

/// The whole of a file of at most `limit` bytes.
package func readFile(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
    let number = retryingInterrupts { unsafe open(path, O_RDONLY | O_CLOEXEC) }
    guard number >= 0 else { throw SystemError("open") }
    return try Descriptor(owning: number).readToEnd(limit: limit)
}

/// Why a file that holds secrets is not read.
package enum SecretFileFault: Error, Equatable, CustomStringConvertible {
    case unreadable(String)
    /// A directory, a FIFO, a device.
    case notRegular
    /// Others can read it, or its group can write it: the permission bits.
    case exposed(mode: UInt32)
    case tooLong(count: Int, limit: Int)
    case changing

    package var description: String {
        switch self {
        case .unreadable(let error): "cannot be read (\(error))"
        case .notRegular: "is not a regular file"
        case .exposed(let mode):
            "can be read by others or written by its group (mode 0\(String(mode, radix: 8))): chmod 640 it"
        case .tooLong(let count, let limit): "has \(count) bytes: at most \(limit) are accepted"
        case .changing: "changed while it was read: try again"
        }
    }
}

/// The whole of a regular file that only its owner may write, and only its owner and group may read. Never waits for
/// whoever might write to it, and leaves no copy behind but the result.
package func readSecretFile(_ path: String, limit: Int) throws(SecretFileFault) -> [UInt8] {
    let number = retryingInterrupts { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
    guard number >= 0 else { throw .unreadable("\(SystemError("open"))") }
    let file = Descriptor(owning: number)
    var status = stat()
    guard unsafe fstat(number, &status) == 0 else { throw .unreadable("\(SystemError("fstat"))") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular }
    guard status.st_mode & 0o026 == 0 else { throw .exposed(mode: status.st_mode & 0o777) }
    let size = Int(status.st_size)
    guard size <= limit else { throw .tooLong(count: size, limit: limit) }
    var count = 0
    var failure: SystemError?
    let content = unsafe [UInt8](unsafeUninitializedCapacity: size + 1) { bytes, filled in
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
    if let failure { throw .unreadable("\(failure)") }
    guard count == size else { throw .changing }
    return content
}
