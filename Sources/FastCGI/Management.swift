import Bytes
import System

/// Replies to management records (FastCGI Specification 1.0, section 4).
enum Management {
    /// Appends the reply to a record. For FCGI_GET_VALUES: the value of each requested name that is known, once. For a
    /// type that the specification does not define: FCGI_UNKNOWN_TYPE. Throws `parameterLength` if the content of
    /// FCGI_GET_VALUES does not consist of whole name-value pairs.
    static func appendReply(to type: UInt8, _ content: Span<UInt8>, into replies: inout [UInt8]) throws(ProtocolFault) {
        guard type == RecordType.getValues.rawValue else {
            let reply: [UInt8] = [type, 0, 0, 0, 0, 0, 0, 0]
            return replies.append(record: .unknownType, of: 0, reply.span)
        }
        var asksConnections = false
        var asksRequests = false
        var asksMultiplexing = false
        let isWhole = NameValuePairs.forEach(in: content) { name, _ in
            asksConnections = asksConnections || name.equals("FCGI_MAX_CONNS")
            asksRequests = asksRequests || name.equals("FCGI_MAX_REQS")
            asksMultiplexing = asksMultiplexing || name.equals("FCGI_MPXS_CONNS")
        }
        guard isWhole else { throw .parameterLength }
        var values: [UInt8] = []
        // One request on a connection at a time: as many requests as connections.
        if asksConnections { values.append(name: "FCGI_MAX_CONNS", value: descriptorLimit()) }
        if asksRequests { values.append(name: "FCGI_MAX_REQS", value: descriptorLimit()) }
        if asksMultiplexing { values.append(name: "FCGI_MPXS_CONNS", value: 0) }
        replies.append(record: .getValuesResult, of: 0, values.span)
    }
}

extension [UInt8] {
    /// Appends a pair of a name and a number, each shorter than 128 bytes.
    fileprivate mutating func append(name: StaticString, value: Int) {
        var digits: [UInt8] = []
        digits.append(decimal: value)
        append(UInt8(name.utf8CodeUnitCount))
        append(UInt8(digits.count))
        append(name)
        append(digits.span)
    }
}
