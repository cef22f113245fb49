import Bytes
import CLinux
import Glibc
import System

/// Where log lines go: a file, or what standard error leads to.
struct LogSink: ~Copyable {
    /// Bytes that a pipe takes whole or not at all (pipe(7)): lines of several processes do not mix.
    private static let pipeUnit = Int(PIPE_BUF)

    private var descriptor: Descriptor
    private var kind: Descriptor.Kind
    /// Whether the open file is this process' alone: then a write does not block, and a lock shuts others out.
    private var isOwn: Bool
    private let path: String?

    init(path: String) throws(SystemError) {
        self.path = path
        descriptor = try Descriptor.append(to: path)
        kind = descriptor.kind
        isOwn = true
    }

    /// Standard error, opened once more where that is possible: O_NONBLOCK would change a pipe or terminal for
    /// everybody who shares it, and the lock of a file that is shared would shut nobody out. A file to which the others
    /// do not append stays shared, or they would write over our lines.
    init(standardError number: Int32) {
        path = nil
        kind = .other
        descriptor = .none
        isOwn = false
        do throws(SystemError) {
            descriptor = try Descriptor.duplicate(number)
            kind = descriptor.kind
            if kind != .socket && (kind != .file || descriptor.isAppending) {
                descriptor = try Descriptor.append(to: "/proc/self/fd/\(number)", creating: false)
                isOwn = true
            }
        } catch {
            // Another user's terminal or file, or no standard error at all.
        }
    }

    enum Outcome {
        case written
        /// No room at the moment, or another process is writing.
        case busy
        case failed
        /// The reader has gone for good.
        case broken
    }

    /// Writes `bytes` from an offset on, as far as there is room, and moves the offset. What was not written stays for
    /// the next time: soon where a reader or another process was busy, later where it failed, as on a full disk.
    mutating func write(_ bytes: [UInt8], from offset: inout Int) -> Outcome {
        guard descriptor.number >= 0 else {
            offset = bytes.count
            return .written
        }
        return kind == .file ? writeLocked(bytes, from: &offset) : writeInUnits(bytes, from: &offset)
    }

    /// Appends to a file that other processes append to as well. A disk may fill up in the middle of a line: what was
    /// written of it is taken back, so that no other line is torn. The lock keeps the others from writing behind it
    /// meanwhile.
    private func writeLocked(_ bytes: [UInt8], from offset: inout Int) -> Outcome {
        let lock = isOwn ? descriptor.tryLock() : .unavailable
        guard lock != .held else { return .busy }
        defer { if lock == .taken { descriptor.unlock() } }
        let part = bytes.span.extracting(droppingFirst: offset)
        guard case .bytes(let count) = descriptor.write(part) else { return .failed }
        guard count < part.count else {
            offset = bytes.count
            return .written
        }
        let lineEnd = bytes[offset..<offset + count].lastIndex(of: .lineFeed).map { $0 + 1 } ?? offset
        let isTakenBack = lock == .taken && descriptor.takeBack(offset + count - lineEnd)
        offset = isTakenBack ? lineEnd : offset + count
        return .failed
    }

    private func writeInUnits(_ bytes: [UInt8], from offset: inout Int) -> Outcome {
        while offset < bytes.count {
            let end = kind == .pipe || (kind == .other && !isOwn) ? unit(of: bytes, from: offset) : bytes.count
            if !isOwn && kind != .socket && !descriptor.wait(for: .writable, until: .now) { return .busy }
            let part = bytes.span.extracting(offset..<end)
            switch kind == .socket ? descriptor.send(part) : descriptor.write(part) {
            case .bytes(let count): offset += count
            case .wouldBlock: return .busy
            case .failed(EPIPE): return .broken
            case .closed, .failed: return .failed
            }
        }
        return .written
    }

    /// Whole lines that fit into one unit of a pipe; of a longer line, a unit.
    private func unit(of bytes: [UInt8], from offset: Int) -> Int {
        let limit = min(bytes.count, offset + LogSink.pipeUnit)
        guard limit < bytes.count else { return limit }
        let lineEnd = bytes[offset..<limit].lastIndex(of: .lineFeed)
        return lineEnd.map { $0 + 1 } ?? limit
    }

    mutating func reopen() -> SystemError? {
        guard let path else { return nil }
        do throws(SystemError) {
            descriptor = try Descriptor.append(to: path)
            kind = descriptor.kind
            return nil
        } catch {
            return error
        }
    }
}

extension Descriptor {
    enum Lock { case taken, held, unavailable }

    /// Whether every write goes to the end of the file (O_APPEND).
    fileprivate var isAppending: Bool { fcntl(number, F_GETFL) & O_APPEND != 0 }

    /// Locks the whole file for this open file, where nobody else has and the file system can.
    fileprivate func tryLock() -> Lock {
        if setLock(F_WRLCK) { return .taken }
        return errno == EAGAIN || errno == EACCES ? .held : .unavailable
    }

    fileprivate func unlock() { _ = setLock(F_UNLCK) }

    private func setLock(_ type: Int32) -> Bool {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        return unsafe fcntl(number, OFD_SETLK, &lock) == 0
    }

    /// Truncates the file by the last `count` bytes written. Returns false if another writer has appended since.
    fileprivate func takeBack(_ count: Int) -> Bool {
        var status = stat()
        let end = lseek(number, 0, SEEK_CUR)
        guard end >= count, unsafe fstat(number, &status) == 0, status.st_size == end else { return false }
        return ftruncate(number, end - off_t(count)) == 0
    }
}
