import Bytes
import EventLoop
import Glibc

/// Where log lines go: a file, or what standard error leads to.
struct LogSink: ~Copyable {
    /// Bytes that a pipe takes whole or not at all (PIPE_BUF of pipe(7)): lines of several processes do not mix.
    private static let pipeUnit = 4096

    private var descriptor: Descriptor
    private var kind: Descriptor.Kind
    /// A write finds out by itself whether there is room; otherwise poll(2) is asked before.
    private var isNonBlocking: Bool
    private let path: String?

    init(path: String) throws(SystemError) {
        self.path = path
        descriptor = try Descriptor.append(to: path)
        kind = descriptor.kind
        isNonBlocking = true
    }

    /// Standard error. A pipe or terminal is opened anew where possible: O_NONBLOCK would change it for everybody who
    /// shares it.
    init(standardError number: Int32) {
        path = nil
        kind = .other
        descriptor = .none
        isNonBlocking = false
        do throws(SystemError) {
            descriptor = try Descriptor.duplicate(number)
            kind = descriptor.kind
            if kind == .pipe || kind == .other {
                descriptor = try Descriptor.append(to: "/proc/self/fd/\(number)", creating: false)
                isNonBlocking = true
            }
        } catch {
            // Another user's terminal, or no standard error at all.
        }
    }

    /// Writes `bytes` from an offset on, as far as there is room, and moves the offset. What cannot be written because of
    /// an error, such as a full disk, stays for the next time.
    mutating func write(_ bytes: [UInt8], from offset: inout Int) {
        guard descriptor.number >= 0 else {
            offset = bytes.count
            return
        }
        while offset < bytes.count {
            let end = kind == .pipe || (kind == .other && !isNonBlocking) ? unit(of: bytes, from: offset) : bytes.count
            if !isNonBlocking && kind != .file && kind != .socket && !descriptor.wait(for: .writable, until: .now) {
                return
            }
            let part = bytes.span.extracting(offset..<end)
            let transfer = kind == .socket ? descriptor.send(part) : descriptor.write(part)
            guard case .bytes(let count) = transfer else {
                // Nobody will ever read a broken pipe: forget it, and do not gather lines for it.
                if transfer == .failed(EPIPE) { offset = bytes.count }
                return
            }
            offset += count
            if kind == .file && count < end { return }
        }
    }

    /// Whole lines that fit into one unit of a pipe; of a longer line, a unit.
    private func unit(of bytes: [UInt8], from offset: Int) -> Int {
        let limit = min(bytes.count, offset + LogSink.pipeUnit)
        guard limit < bytes.count else { return limit }
        let lineEnd = bytes[offset..<limit].lastIndex(of: 0x0A)
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
