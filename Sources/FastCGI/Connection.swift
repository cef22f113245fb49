import Bytes
import CFastCGI
import CLinux
import EventLoop
import Glibc
import System

/// A FastCGI connection, which closes when it is released, and the `FCGX_Request` that reads its requests and writes
/// their answers.
///
/// The descriptor never blocks. libfcgi takes EAGAIN for the end of the stream. That is right here: libfcgi reads only
/// complete requests, and a peer that does not take its answers is to be dropped.
@safe final class Connection {
    enum State {
        /// Between requests.
        case idle
        /// A request has begun, and is being read from the socket.
        case assembling(RequestAssembly)
        /// libfcgi has read a request, which is not answered.
        case taken(Taken)
        /// Answered before all of the request was read. What still arrives is discarded until the peer closes:
        /// `dropped` bytes so far.
        case lingering(dropped: Int)
    }

    /// What must be known about a request until it is answered.
    struct Taken {
        /// Whether the peer asked for the connection to be kept.
        let keepsConnection: Bool
        /// Whether all of the request was read.
        let isReadToEnd: Bool
        /// The peer closed its end meanwhile.
        var isPeerClosed = false
        /// Bytes arrived meanwhile.
        var hasEarlyArrival = false
    }

    let token: Token
    private(set) var descriptor: Descriptor
    private let request: UnsafeMutablePointer<FCGX_Request>
    var state = State.idle

    init(_ descriptor: consuming Descriptor, token: Token) {
        self.descriptor = consume descriptor
        self.token = token
        unsafe request = .allocate(capacity: 1)
        unsafe FCGX_InitRequest(request, -1, 0)
    }

    deinit {
        unsafe FCGX_Free(request, 0)
        unsafe request.deallocate()
    }

    /// Makes libfcgi read the whole request that is in the socket. Returns whether its body has `shape.bodyLength`
    /// bytes.
    func take(_ shape: RequestShape, into body: inout [UInt8]) -> Bool {
        switch read(from: descriptor.number, bodyLength: shape.bodyLength, into: &body) {
        case .request(let isWhole): return isWhole
        case .descriptorClosed:
            // The scanner rules this out.
            let closed = exchangeDescriptor(for: .none)
            closed.release()
            return false
        }
    }

    /// Makes libfcgi read an assembled request from memory that has a descriptor: libfcgi reads nothing else. Throws if
    /// none is available.
    func take(_ assembly: RequestAssembly, into body: inout [UInt8]) throws(SystemError) -> Bool {
        var records: [UInt8] = []
        assembly.append(to: &records)
        // A new one for each request, since libfcgi closes it if it cannot read it.
        let memory = try Descriptor.inMemory(holding: records.span)
        let length = assembly.isTooLong ? 0 : assembly.bodyLength
        switch read(from: memory.number, bodyLength: length, into: &body) {
        case .request(let isWhole):
            // The answer goes to the peer.
            unsafe request.pointee.ipcFd = descriptor.number
            return isWhole
        case .descriptorClosed:
            memory.release()
            return false
        }
    }

    private enum ReadResult {
        case request(isWhole: Bool)
        case descriptorClosed
    }

    /// Makes libfcgi read a whole request from a descriptor.
    ///
    /// With a listening socket of -1 nothing in libfcgi can fall back to a blocking accept(2). It closes the descriptor
    /// only if it cannot read the beginning of a request.
    private func read(from number: Int32, bodyLength: Int, into body: inout [UInt8]) -> ReadResult {
        unsafe request.pointee.ipcFd = number
        unsafe request.pointee.keepConnection = 1
        unsafe FCGX_Detach(request)
        guard unsafe FCGX_Accept_r(request) == 0 else { return .descriptorClosed }
        let input = unsafe request.pointee.in
        guard unsafe FCGX_GetError(input) == 0 else { return .request(isWhole: false) }
        // One byte more than there is: only a short read consumes the record that ends the body.
        let wanted = Int32(bodyLength + 1)
        let count = unsafe body.withUnsafeMutableBytes { bytes in
            unsafe FCGX_GetStr(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), wanted, input)
        }
        let isWhole = unsafe Int(count) == bodyLength && FCGX_GetError(input) == 0
        forgetRequest()
        return .request(isWhole: isWhole)
    }

    /// Frees what libfcgi keeps of a request until it is answered, an 8 KiB buffer and a copy of each parameter: the
    /// answer needs none of it, and the next request gets the same memory while it is still in the cache.
    private func forgetRequest() {
        unsafe FCGX_FreeStream(&request.pointee.in)
        var parameter = unsafe request.pointee.envp
        while let copy = unsafe parameter?.pointee {
            unsafe free(copy)
            // FCGX_Free frees as many as there were, and free(NULL) does nothing.
            unsafe parameter?.pointee = nil
            unsafe parameter = parameter?.successor()
        }
    }

    private func exchangeDescriptor(for other: consuming Descriptor) -> Descriptor {
        swap(&other, &descriptor)
        return other
    }

    /// Sends a taken request's answer, `CGI header, empty line, body`. Returns whether the kernel took it all.
    ///
    /// Up to 8,160 bytes leave in one write.
    func answer(_ bytes: Span<UInt8>) -> Bool {
        let written = unsafe bytes.withUnsafeBytes { bytes in
            unsafe FCGX_PutStr(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), request.pointee.out)
        }
        // FCGX_PutStr reports success even after the peer has closed; only closing the streams reports the failure.
        let errorStream = unsafe FCGX_FClose(request.pointee.err)
        let outputStream = unsafe FCGX_FClose(request.pointee.out)
        unsafe FCGX_Free(request, 0)
        return Int(written) == bytes.count && errorStream == 0 && outputStream == 0
    }
}
