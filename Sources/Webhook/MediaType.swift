import Bytes

/// The Content-Type of a request (RFC 9110, section 8.3).
enum MediaType {
    /// Whether it is `application/json`, or a type whose subtype ends in `+json` (RFC 6839), with no charset but UTF-8.
    static func isJSON(_ value: Span<UInt8>) -> Bool {
        if value.equals("application/json") { return true }
        var end = 0
        while end < value.count && value[end] != 0x3B { end += 1 }
        let type = value.extracting(first: end)
        guard isJSONType(type.extracting(type.trimmedRange)) else { return false }
        while end < value.count {
            let start = end + 1
            end = start
            var isQuoted = false
            while end < value.count && (value[end] != 0x3B || isQuoted) {
                if value[end] == 0x22 { isQuoted.toggle() }
                end += 1
            }
            let parameter = value.extracting(start..<end)
            guard isAcceptable(parameter: parameter.extracting(parameter.trimmedRange)) else { return false }
        }
        return true
    }

    private static func isJSONType(_ type: Span<UInt8>) -> Bool {
        if type.equalsIgnoringCase("application/json") { return true }
        var slash = 0
        while slash < type.count && isToken(type[slash]) { slash += 1 }
        guard slash > 0, slash < type.count, type[slash] == 0x2F else { return false }
        let subtype = type.extracting(slash + 1..<type.count)
        for index in subtype.indices where !isToken(subtype[index]) { return false }
        return subtype.count > 5 && subtype.extracting(last: 5).equalsIgnoringCase("+json")
    }

    private static func isAcceptable(parameter: Span<UInt8>) -> Bool {
        guard parameter.count >= 8, parameter.extracting(first: 8).equalsIgnoringCase("charset=") else { return true }
        let charset = parameter.extracting(droppingFirst: 8)
        return charset.equalsIgnoringCase("utf-8") || charset.equalsIgnoringCase("\"utf-8\"")
    }

    /// `tchar` of RFC 9110, section 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x7C, 0x7E: true
        default: false
        }
    }
}
