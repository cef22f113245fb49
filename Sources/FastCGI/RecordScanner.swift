import Bytes

/// The result of a scan of the bytes in a connection's socket.
package enum Scan: Equatable {
    /// Exactly one whole request, which libfcgi may read from the socket.
    case complete(RequestShape)
    /// Anything else without a fault so far: it must be read and assembled.
    case unfinished
    case refused(ProtocolFault)
}

/// Where in the scanned bytes a request's parts are.
package struct RequestShape: Equatable {
    package var requestID: UInt16 = 0
    package var keepsConnection = false
    /// The content of the parameters if one record holds them all; nil if they were gathered from several.
    package var parameters: Range<Int>?
    package var bodyLength = 0
}

/// Checks the bytes in a socket before libfcgi may read them. A length on the wire allocates nothing.
package struct RecordScanner {
    /// Bytes of body.
    package let bodyLimit: Int
    private var gathered: [UInt8] = []

    package init(bodyLimit: Int) { self.bodyLimit = bodyLimit }

    /// Bytes to look at, at most: a request with the largest body and parameters, in records as a web server cuts them.
    package var lookLimit: Int { bodyLimit + RecordSequence.parametersLimit + 8192 }

    /// Walks the records from the first byte.
    package mutating func scan(_ bytes: Span<UInt8>) -> Scan {
        do throws(ProtocolFault) {
            guard let shape = try walk(bytes) else { return .unfinished }
            return .complete(shape)
        } catch {
            return .refused(error)
        }
    }

    private mutating func walk(_ bytes: Span<UInt8>) throws(ProtocolFault) -> RequestShape? {
        gathered.removeAll(keepingCapacity: true)
        var sequence = RecordSequence()
        var shape = RequestShape()
        var offset = 0
        while offset + RecordHeader.length <= bytes.count {
            let header = try RecordHeader(bytes, at: offset)
            let start = offset + RecordHeader.length
            let end = start + header.contentLength + header.paddingLength
            let content = try sequence.accept(header)
            guard end <= bytes.count else { return nil }
            // libfcgi would read the padding of an empty record, or of BEGIN_REQUEST, as the next record.
            let isPadded = header.paddingLength > 0
            guard !isPadded || (header.contentLength > 0 && content != .beginRequest) else { return nil }
            switch content {
            case .management, .lateAbort: return nil
            case .beginRequest: try sequence.begin(bytes.extracting(start..<end))
            case .params: gather(bytes, start..<start + header.contentLength, into: &shape)
            case .endOfParams:
                guard forEachParameter(of: shape, in: bytes, { _, _ in }) else { throw .parameterLength }
            case .body: if sequence.bodyLength > bodyLimit { return nil }
            case .endOfBody:
                // What follows may be a management record.
                if end < bytes.count { break }
                shape.requestID = sequence.requestID
                shape.keepsConnection = sequence.keepsConnection
                shape.bodyLength = sequence.bodyLength
                return shape
            }
            offset = end
        }
        return nil
    }

    /// Notes where the parameters of the first record are. A further record moves all of them to `gathered`.
    private mutating func gather(_ bytes: Span<UInt8>, _ range: Range<Int>, into shape: inout RequestShape) {
        if let first = shape.parameters {
            gathered.append(bytes.extracting(first))
            gathered.append(bytes.extracting(range))
            shape.parameters = nil
        } else if gathered.isEmpty {
            shape.parameters = range
        } else {
            gathered.append(bytes.extracting(range))
        }
    }

    /// Calls `body` with the name and the value of each parameter of a scanned request. Returns false at a length that
    /// exceeds the content, which a complete request does not have.
    package func forEachParameter(
        of shape: RequestShape, in bytes: Span<UInt8>, _ body: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Bool {
        if let range = shape.parameters { return NameValuePairs.forEach(in: bytes.extracting(range), body) }
        return NameValuePairs.forEach(in: gathered.span, body)
    }
}
