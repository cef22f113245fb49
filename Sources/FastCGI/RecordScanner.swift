import Bytes

/// Why a peer's bytes are no request. nginx sends none of these; libfcgi would hang, crash or misread on some of them.
package enum ProtocolFault: String, Error, CaseIterable {
    case version, recordType, recordOrder, requestID, role, recordLength, padding, tooManyRecords
    case parametersTooLong, parameterLength, aborted, bytesBehindRequest, requestTooLong
}

/// What the bytes that a connection holds amount to.
package enum Scan: Equatable {
    /// One whole request, no byte more.
    case complete(RequestShape)
    /// The beginning of a request: nothing more can be said before the socket holds `needed` bytes.
    case incomplete(needed: Int)
    /// The parameters are whole, and the body is longer than the limit. It need not have arrived.
    case tooLong(RequestShape)
    case refused(ProtocolFault)
}

/// Where in the scanned bytes a request's parts are.
package struct RequestShape: Equatable {
    package var requestID: UInt16 = 0
    package var keepsConnection = false
    /// The parameters' content where one record holds them all; nil where they were gathered from several.
    package var parameters: Range<Int>?
    package var bodyLength = 0
}

/// Looks at the records of a request before libfcgi may read them (FastCGI Specification 1.0, section 3.3).
///
/// It accepts what a web server sends a responder: `BEGIN_REQUEST`, then `PARAMS` to its end, then `STDIN` to its end,
/// all of one request. Nothing is allocated from a length on the wire.
package struct RecordScanner {
    /// Bytes of all PARAMS records of a request.
    package static let parametersLimit = 65_536
    /// Records of a request; nginx needs one for each 32 KiB of body, and five more.
    package static let recordLimit = 256
    package static let headerLength = 8

    /// Bytes of body.
    package let bodyLimit: Int
    private var gathered: [UInt8] = []

    package init(bodyLimit: Int) { self.bodyLimit = bodyLimit }

    /// The most bytes that an acceptable request can have.
    package var requestLimit: Int {
        bodyLimit + RecordScanner.parametersLimit + RecordScanner.recordLimit * RecordScanner.headerLength
    }

    private enum Stage { case begin, parameters, body }
    private enum Kind { static let begin: UInt8 = 1, abort: UInt8 = 2, parameters: UInt8 = 4, stdin: UInt8 = 5 }

    /// Walks the records from the first byte.
    package mutating func scan(_ bytes: Span<UInt8>) -> Scan {
        do throws(ProtocolFault) {
            return try walk(bytes)
        } catch {
            return .refused(error)
        }
    }

    private mutating func walk(_ bytes: Span<UInt8>) throws(ProtocolFault) -> Scan {
        gathered.removeAll(keepingCapacity: true)
        var shape = RequestShape()
        var stage = Stage.begin
        var offset = 0
        for _ in 0..<RecordScanner.recordLimit {
            let content = offset + RecordScanner.headerLength
            guard content <= bytes.count else { return .incomplete(needed: content) }
            let header = try Header(bytes, at: offset)
            let end = content + header.length + header.padding
            if stage != .begin && header.requestID != shape.requestID { throw .requestID }
            switch (stage, header.kind) {
            case (.begin, Kind.begin):
                guard header.length == 8 else { throw .recordLength }
                guard content + 8 <= bytes.count else { return .incomplete(needed: content + 8) }
                guard bytes[content] == 0 && bytes[content + 1] == 1 else { throw .role }
                guard header.requestID != 0 else { throw .requestID }
                shape.requestID = header.requestID
                shape.keepsConnection = bytes[content + 2] & 1 != 0
                stage = .parameters
            case (.parameters, Kind.parameters):
                // The limit is applied to the claim, before the bytes are there.
                let already = shape.parameters?.count ?? gathered.count
                guard already + header.length <= RecordScanner.parametersLimit else { throw .parametersTooLong }
                guard end <= bytes.count else { return .incomplete(needed: end + RecordScanner.headerLength) }
                if header.length > 0 {
                    gather(bytes, content..<content + header.length, into: &shape)
                } else {
                    try checkPairs(of: shape, in: bytes)
                    stage = .body
                }
            case (.body, Kind.stdin):
                shape.bodyLength += header.length
                guard shape.bodyLength <= bodyLimit else { return .tooLong(shape) }
                if header.length == 0 {
                    guard end == bytes.count else { throw .bytesBehindRequest }
                    return .complete(shape)
                }
                guard end <= bytes.count else { return .incomplete(needed: end + RecordScanner.headerLength) }
            case (_, Kind.abort): throw .aborted
            case (_, Kind.begin), (_, Kind.parameters), (_, Kind.stdin): throw .recordOrder
            default: throw .recordType
            }
            offset = end
        }
        throw .tooManyRecords
    }

    private struct Header {
        let kind: UInt8
        let requestID: UInt16
        let length: Int
        let padding: Int

        init(_ bytes: Span<UInt8>, at offset: Int) throws(ProtocolFault) {
            guard bytes[offset] == 1 else { throw .version }
            kind = bytes[offset + 1]
            requestID = UInt16(bytes[offset + 2]) << 8 | UInt16(bytes[offset + 3])
            length = Int(bytes[offset + 4]) << 8 | Int(bytes[offset + 5])
            padding = Int(bytes[offset + 6])
            // libfcgi reads the padding of an empty record as the next record.
            if length == 0 && padding > 0 { throw .padding }
        }
    }

    /// Notes where the first record's parameters are; a further record moves all to a buffer of our own.
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

    private mutating func checkPairs(of shape: RequestShape, in bytes: Span<UInt8>) throws(ProtocolFault) {
        let whole = forEachParameter(of: shape, in: bytes) { _, _ in }
        guard whole else { throw .parameterLength }
    }

    /// Calls `body` with the name and the value of each parameter of a scanned request. Returns false at a length that
    /// does not fit: libfcgi would allocate it.
    package func forEachParameter(
        of shape: RequestShape, in bytes: Span<UInt8>, _ body: (Span<UInt8>, Span<UInt8>) -> Void
    ) -> Bool {
        if let range = shape.parameters {
            return forEachPair(in: bytes.extracting(range), body)
        }
        return forEachPair(in: gathered.span, body)
    }

    private func forEachPair(in content: Span<UInt8>, _ body: (Span<UInt8>, Span<UInt8>) -> Void) -> Bool {
        var offset = 0
        while offset < content.count {
            guard let name = length(in: content, at: &offset), let value = length(in: content, at: &offset),
                name <= content.count - offset, value <= content.count - offset - name
            else { return false }
            body(content.extracting(offset..<offset + name), content.extracting(offset + name..<offset + name + value))
            offset += name + value
        }
        return true
    }

    /// A length of one byte, or of four with the highest bit set (section 3.4).
    private func length(in content: Span<UInt8>, at offset: inout Int) -> Int? {
        guard offset < content.count else { return nil }
        let first = Int(content[offset])
        guard first >= 0x80 else {
            offset += 1
            return first
        }
        guard offset + 4 <= content.count else { return nil }
        let rest = Int(content[offset + 1]) << 16 | Int(content[offset + 2]) << 8 | Int(content[offset + 3])
        offset += 4
        return (first & 0x7F) << 24 | rest
    }
}
