import Bytes

/// Why a peer's bytes are not a request that this program serves. libfcgi would hang, crash or misread on some of them.
package enum ProtocolFault: String, Error, CaseIterable {
    case version
    case recordType = "record_type"
    case recordOrder = "record_order"
    case requestID = "request_id"
    case role
    case recordLength = "record_length"
    case parametersTooLong = "parameters_too_long"
    case parameterLength = "parameter_length"
    case managementTooLong = "management_too_long"
    case aborted
    case trailingBytes = "trailing_bytes"
}

/// The records of one request, checked header by header: their types, their order, and what they claim to hold.
///
/// A web server sends a responder `BEGIN_REQUEST`, then `PARAMS` to its end, then `STDIN` to its end, all of one
/// request (FastCGI Specification 1.0, section 6.2). Management records may stand anywhere. A stream may be cut into
/// any number of records: limits are in bytes, and apply to the claimed length before the bytes arrive.
struct RecordSequence {
    /// Bytes of all PARAMS records of a request.
    static let parametersLimit = 65_536
    /// Bytes of a management record: many times what FCGI_GET_VALUES needs to ask for its three names.
    static let managementLimit = 1024

    /// What an accepted record holds.
    enum Content {
        case beginRequest
        case params
        case endOfParams
        case body
        case endOfBody
        case management
        /// Nothing: the request has been answered meanwhile.
        case lateAbort
    }

    private enum Stage { case begin, params, body, ended }

    private var stage = Stage.begin
    private(set) var requestID: UInt16 = 0
    private(set) var keepsConnection = false
    private(set) var parametersLength = 0
    private(set) var bodyLength = 0

    /// Whether a request has begun.
    var hasBegun: Bool { stage != .begin }
    /// Whether the last record of the request was accepted. Only management records may follow before it is answered.
    var hasEnded: Bool { stage == .ended }

    mutating func accept(_ header: RecordHeader) throws(ProtocolFault) -> Content {
        guard header.requestID != 0 else { return try acceptManagement(header) }
        guard !hasEnded else { throw .trailingBytes }
        if hasBegun && header.requestID != requestID { throw .requestID }
        switch (stage, RecordType(rawValue: header.type)) {
        case (.begin, .beginRequest):
            guard header.contentLength == 8 else { throw .recordLength }
            requestID = header.requestID
            stage = .params
            return .beginRequest
        case (.params, .params):
            guard header.contentLength > 0 else {
                stage = .body
                return .endOfParams
            }
            parametersLength += header.contentLength
            guard parametersLength <= RecordSequence.parametersLimit else { throw .parametersTooLong }
            return .params
        case (.body, .stdin):
            guard header.contentLength > 0 else {
                stage = .ended
                return .endOfBody
            }
            bodyLength += header.contentLength
            return .body
        // Records of an inactive request are ignored (section 3.3). This one crosses the answer if a client leaves.
        case (.begin, .abortRequest) where header.contentLength == 0: return .lateAbort
        case (_, .abortRequest): throw .aborted
        case (_, .beginRequest), (_, .params), (_, .stdin): throw .recordOrder
        case (_, .endRequest), (_, .stdout), (_, .stderr), (_, .data), (_, .getValues), (_, .getValuesResult),
            (_, .unknownType), (_, nil):
            throw .recordType
        }
    }

    private func acceptManagement(_ header: RecordHeader) throws(ProtocolFault) -> Content {
        switch RecordType(rawValue: header.type) {
        case .beginRequest, .abortRequest, .endRequest, .params, .stdin, .stdout, .stderr, .data: throw .requestID
        // Only an application sends these.
        case .getValuesResult, .unknownType: throw .recordType
        case .getValues, nil: break
        }
        guard header.contentLength <= RecordSequence.managementLimit else { throw .managementTooLong }
        return .management
    }

    /// Reads the eight bytes of a BEGIN_REQUEST record (section 5.1).
    mutating func begin(_ content: Span<UInt8>) throws(ProtocolFault) {
        guard content[0] == 0 && content[1] == 1 else { throw .role }
        keepsConnection = content[2] & 1 != 0
    }
}
