import Bytes
import COpenSSL

/// The bytes between OpenSSL and a socket: what the server sent and OpenSSL reads, and what OpenSSL wrote for the server.
///
/// OpenSSL's BIO_s_mem does the same, but zeroes the room for each write first, and what it holds must be copied out.
@safe final class Ciphertext {
    /// Bytes of room that an empty output keeps, at most.
    private static let keptCapacity = 1_048_576

    private var input: [UInt8] = []
    /// How many bytes of the input OpenSSL has read.
    private var readCount = 0
    /// What the server has not been sent yet.
    private(set) var output: [UInt8] = []

    /// Takes bytes that the server has sent.
    func add(_ bytes: Span<UInt8>) {
        if !hasInput {
            input.clear()
            readCount = 0
        }
        input.append(bytes)
    }

    /// Whether there is input that OpenSSL has not read.
    var hasInput: Bool { readCount < input.count }

    /// Removes the first bytes of the output, which were sent.
    func removeOutput(_ count: Int) {
        if count == output.count {
            output.removeAll(keepingCapacity: output.capacity <= Ciphertext.keptCapacity)
        } else {
            output.removeFirst(count)
        }
    }

    // MARK: BIO

    /// A BIO (bio(7)) of these bytes, which must outlive it; nil for want of memory.
    func makeBIO() -> OpaquePointer? {
        guard let method = unsafe Ciphertext.method, let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }

    /// How OpenSSL reads and writes (BIO_meth_new(3)); nil for want of memory.
    private nonisolated(unsafe) static let method: OpaquePointer? = {
        let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = unsafe BIO_meth_new(type, "ciphertext") else { return nil }
        unsafe BIO_meth_set_read_ex(method) { bio, bytes, room, count in
            let read = unsafe Ciphertext.of(bio).read(into: UnsafeMutableRawBufferPointer(start: bytes, count: room))
            unsafe count?.pointee = read
            unsafe BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            if read == 0 { unsafe BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY) }
            return read > 0 ? 1 : 0
        }
        unsafe BIO_meth_set_write_ex(method) { bio, bytes, length, count in
            unsafe Ciphertext.of(bio).write(UnsafeRawBufferPointer(start: bytes, count: length))
            unsafe count?.pointee = length
            return 1
        }
        // The only request that matters is to flush: nothing that was written is held back.
        unsafe BIO_meth_set_ctrl(method) { _, request, _, _ in request == BIO_CTRL_FLUSH ? 1 : 0 }
        return unsafe method
    }()

    private static func of(_ bio: OpaquePointer?) -> Ciphertext {
        guard let data = unsafe BIO_get_data(bio) else { preconditionFailure("a BIO without its bytes") }
        return unsafe Unmanaged.fromOpaque(data).takeUnretainedValue()
    }

    private func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, input.count - readCount)
        let next = readCount..<readCount + count
        unsafe input.withUnsafeBytes { unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[next])) }
        readCount += count
        return count
    }

    private func write(_ bytes: UnsafeRawBufferPointer) { unsafe output.append(copying: bytes) }
}
