import Bytes

/// What a request's Content-Type (RFC 9110, section 8.3) says of its body.
package enum BodyType: Equatable, Sendable {
    /// `application/json`, or a type whose subtype ends in `+json` (RFC 6839), with no charset but UTF-8.
    case json
    /// `application/x-www-form-urlencoded`, likewise.
    case form
    case other

    init(_ value: Span<UInt8>) {
        if value.equals("application/json") {
            self = .json
            return
        }
        var end = 0
        while end < value.count && value[end] != UInt8(ascii: ";") { end += 1 }
        let type = value.extracting(first: end)
        let name = type.extracting(type.trimmedRange)
        let isForm = name.equalsIgnoringCase("application/x-www-form-urlencoded")
        guard isForm || BodyType.isJSON(name), BodyType.areAcceptable(value, parametersFrom: end) else {
            self = .other
            return
        }
        self = isForm ? .form : .json
    }

    private static func areAcceptable(_ value: Span<UInt8>, parametersFrom first: Int) -> Bool {
        var end = first
        while end < value.count {
            let start = end + 1
            end = start
            var isQuoted = false
            while end < value.count && (value[end] != UInt8(ascii: ";") || isQuoted) {
                if value[end] == .quote { isQuoted.toggle() }
                end += 1
            }
            let parameter = value.extracting(start..<end)
            guard isAcceptable(parameter: parameter.extracting(parameter.trimmedRange)) else { return false }
        }
        return true
    }

    private static func isJSON(_ type: Span<UInt8>) -> Bool {
        if type.equalsIgnoringCase("application/json") { return true }
        var slash = 0
        while slash < type.count && isToken(type[slash]) { slash += 1 }
        guard slash > 0, slash < type.count, type[slash] == UInt8(ascii: "/") else { return false }
        let subtype = type.extracting(slash + 1..<type.count)
        for index in subtype.indices where !isToken(subtype[index]) { return false }
        return subtype.count > 5 && subtype.extracting(last: 5).equalsIgnoringCase("+json")
    }

    private static func isAcceptable(parameter: Span<UInt8>) -> Bool {
        guard parameter.count >= 8, parameter.extracting(first: 8).equalsIgnoringCase("charset=") else { return true }
        let charset = parameter.extracting(droppingFirst: 8)
        return charset.equalsIgnoringCase("utf-8") || charset.equalsIgnoringCase("\"utf-8\"")
    }

    /// `tchar` of RFC 9110, section 5.6.2: any visible character but a delimiter.
    private static func isToken(_ byte: UInt8) -> Bool {
        byte.isVisibleASCII && !#""(),/:;<=>?@[\]{}"#.utf8.contains(byte)
    }
}
