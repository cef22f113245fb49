import Bytes
import CFastCGI
import EventLoop
import Glibc

/// A FastCGI connection, which closes when it is let go, and the `FCGX_Request` that reads its requests and writes their answers.
///
/// The descriptor never blocks. libfcgi takes EAGAIN for the end of the stream, and here it is: it reads only requests
/// that are whole in the socket's buffer, and a peer that does not take its answers is to be dropped.
@safe final class Connection {
    enum State {
        /// Between requests.
        case idle
        /// A request has begun and is not whole.
        case receiving
        /// A request was taken, and is not answered.
        case taken
        /// Answered before the request was whole: what still comes is thrown away.
        case discarding
    }

    let token: Token
    private(set) var descriptor: Descriptor
    private let request: UnsafeMutablePointer<FCGX_Request>
    var state = State.idle
    var deadline = Deadline()
    /// How many bytes the socket must hold before there is anything to be found out.
    var needed = 1
    /// The peer closed its end while its request was taken.
    var peerClosed = false
    /// Something arrived while a request was taken.
    var arrivedEarly = false
    private var keepsConnection = false

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

    /// Has libfcgi read the request that waits in the socket, whole. Returns whether its body is `shape.bodyLength` long.
    ///
    /// With a listening socket of -1 nothing in libfcgi can fall back to a blocking accept(2). It never closes our
    /// descriptor either, but where it cannot read a request, which the scanner has excluded: then we let go of it.
    func take(_ shape: RequestShape, into body: inout [UInt8]) -> Bool {
        unsafe request.pointee.ipcFd = descriptor.number
        unsafe request.pointee.keepConnection = 1
        unsafe FCGX_Detach(request)
        guard unsafe FCGX_Accept_r(request) == 0 else {
            releaseDescriptor()
            return false
        }
        let input = unsafe request.pointee.in
        guard unsafe FCGX_GetError(input) == 0 else { return false }
        // One byte more than there is: only a short read takes in the record that ends the body.
        let wanted = Int32(shape.bodyLength + 1)
        let count = unsafe body.withUnsafeMutableBytes { bytes in
            unsafe FCGX_GetStr(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), wanted, input)
        }
        keepsConnection = shape.keepsConnection
        let isWhole = unsafe Int(count) == shape.bodyLength && FCGX_GetError(input) == 0
        forgetRequest()
        return isWhole
    }

    /// Lets go of what libfcgi keeps of a request until it is answered, an 8 KiB buffer and a copy of each parameter: the
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

    private func releaseDescriptor() {
        var closed = Descriptor.none
        swap(&closed, &descriptor)
        closed.release()
    }

    /// Sends a taken request's answer, `CGI header, empty line, body`. Returns whether the kernel took it all.
    ///
    /// Up to 8,160 bytes leave in one write.
    func answer(_ bytes: Span<UInt8>) -> Bool {
        let written = unsafe bytes.withUnsafeBytes { bytes in
            unsafe FCGX_PutStr(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), request.pointee.out)
        }
        // FCGX_PutStr reports success after the peer has gone; only closing the streams tells.
        let errorStream = unsafe FCGX_FClose(request.pointee.err)
        let outputStream = unsafe FCGX_FClose(request.pointee.out)
        unsafe FCGX_Free(request, 0)
        return Int(written) == bytes.count && errorStream == 0 && outputStream == 0
    }

    /// Whether the web server keeps the connection after the request that was taken last.
    var isKept: Bool { keepsConnection }

    /// Answers a request that was not taken, and never will be: libfcgi answers only what it has read to the end.
    func answerUnread(_ bytes: Span<UInt8>, requestID: UInt16) -> Bool {
        // One record is enough for a refusal.
        guard bytes.count <= 65_535 else { return false }
        var records: [UInt8] = []
        appendHeader(kind: 6, length: bytes.count, of: requestID, to: &records)
        records.append(bytes)
        appendHeader(kind: 6, length: 0, of: requestID, to: &records)
        appendHeader(kind: 3, length: 8, of: requestID, to: &records)
        for _ in 0..<8 { records.append(0) }  // appStatus 0, FCGI_REQUEST_COMPLETE
        return descriptor.send(records.span) == .bytes(records.count)
    }

    private func appendHeader(kind: UInt8, length: Int, of requestID: UInt16, to records: inout [UInt8]) {
        records.append(contentsOf: [1, kind, UInt8(requestID >> 8), UInt8(requestID & 0xFF)])
        records.append(contentsOf: [UInt8(length >> 8), UInt8(length & 0xFF), 0, 0])
    }
}
