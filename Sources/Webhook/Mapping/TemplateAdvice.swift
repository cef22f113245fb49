import Bytes
import JSON

/// How to mend the template, or the script, of a help desk whose payload is not JSON.
enum TemplateAdvice {
    private static let unescaped = """
        the help desk does not escape it: leave such a value out of the template, or send from a script that writes JSON
        """

    /// A sentence; nil if the fault has no usual cause.
    static func sentence(on fault: JSONFault, in text: Span<UInt8>) -> String? {
        let byte = fault.offset < text.count ? text[fault.offset] : nil
        switch fault.kind {
        case .controlCharacter:
            let name =
                byte == .tab
                ? "a tab" : byte == .lineFeed || byte == .carriageReturn ? "a line break" : "a control character"
            return "a value has \(name) in it, and \(unescaped)"
        case .escape: return "a value has a backslash in it, and \(unescaped)"
        case .duplicateKey:
            return "the template has this key twice, or a value has quotation marks in it, and \(unescaped)"
        case .unexpectedByte, .trailingBytes:
            return advice(on: byte ?? 0, after: text.lastVisible(before: fault.offset))
        case .unexpectedEnd where text.lastVisible(before: text.count) == nil:
            return "the body is empty: check what the webhook sends"
        case .unexpectedEnd:
            return
                "the template lacks a quotation mark or a brace at its end, or a value has a quotation mark in it, and \(unescaped)"
        case .number: return "put the number's variable into quotation marks"
        case .utf8: return "the help desk sends another encoding: set it to UTF-8"
        case .byteOrderMark: return "send the body without a byte-order mark"
        case .surrogate, .tooDeep: return nil
        }
    }

    private static func advice(on byte: UInt8, after previous: UInt8?) -> String {
        switch (byte, previous) {
        case (_, nil): return "the body must be a JSON object, which begins with a brace"
        case (UInt8(ascii: "$"), _): return "put the variable into quotation marks"
        case (UInt8(ascii: "'"), _): return "put keys and values into double quotation marks"
        case (UInt8(ascii: "}"), UInt8(ascii: ",")?), (UInt8(ascii: "]"), UInt8(ascii: ",")?):
            return "remove the comma before it"
        case (UInt8(ascii: ","), UInt8(ascii: ":")?), (UInt8(ascii: "}"), UInt8(ascii: ":")?):
            return "the value before it is missing: put its variable into quotation marks"
        case (_, UInt8.quote?):
            return "a comma or a colon is missing, or a value has a quotation mark in it, and \(unescaped)"
        default: return "put each value into quotation marks, and a comma between two members"
        }
    }
}

extension Span<UInt8> {
    /// The last byte before an index that is no white space.
    fileprivate func lastVisible(before end: Int) -> UInt8? {
        var index = Swift.min(end, count)
        while index > 0 {
            index -= 1
            if self[index] > .space { return self[index] }
        }
        return nil
    }
}
