import Bytes

/// Types of records, by the names that the specification gives them (FastCGI Specification 1.0, section 8).
enum RecordType: UInt8 {
    case beginRequest = 1
    case abortRequest = 2
    case endRequest = 3
    case params = 4
    case stdin = 5
    case stdout = 6
    case stderr = 7
    case data = 8
    case getValues = 9
    case getValuesResult = 10
    case unknownType = 11
}

/// The eight bytes before a record's content (section 3.3).
struct RecordHeader {
    static let length = 8
    static let version: UInt8 = 1
    /// Bytes of content, at most: the length has 16 bits.
    static let contentLimit = 65_535

    /// A `RecordType`, or a number that the specification does not define.
    let type: UInt8
    /// 0 for management records, which belong to no request.
    let requestID: UInt16
    let contentLength: Int
    let paddingLength: Int

    /// Reads the header at `offset`. `bytes` must hold all of it.
    init(_ bytes: Span<UInt8>, at offset: Int = 0) throws(ProtocolFault) {
        guard bytes[offset] == RecordHeader.version else { throw .version }
        type = bytes[offset + 1]
        requestID = UInt16(bytes[offset + 2]) << 8 | UInt16(bytes[offset + 3])
        contentLength = Int(bytes[offset + 4]) << 8 | Int(bytes[offset + 5])
        paddingLength = Int(bytes[offset + 6])
    }
}

extension [UInt8] {
    /// Appends one record without padding. The content has at most `RecordHeader.contentLimit` bytes.
    mutating func append(record type: RecordType, of requestID: UInt16, _ content: Span<UInt8>) {
        append(contentsOf: [RecordHeader.version, type.rawValue, UInt8(requestID >> 8), UInt8(requestID & 0xFF)])
        append(contentsOf: [UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0])
        append(content)
    }

    /// Appends a stream: its content in as few records as possible, then the empty record that ends it.
    mutating func append(stream type: RecordType, of requestID: UInt16, _ content: Span<UInt8>) {
        var rest = content
        while !rest.isEmpty {
            append(record: type, of: requestID, rest.extracting(first: RecordHeader.contentLimit))
            rest = rest.extracting(droppingFirst: Swift.min(rest.count, RecordHeader.contentLimit))
        }
        append(record: type, of: requestID, rest)
    }
}
