/// RFC 8259 with this project's limits, as plainly as possible: the standard library checks the UTF-8, and the surrogates
/// by way of UTF-16. Slow, and shares no code with the reader that is tested against it.
struct Reference {
    private struct Refusal: Error {}

    private var rest: ArraySlice<Unicode.Scalar>

    private init(_ text: String) { rest = Array(text.unicodeScalars)[...] }

    /// Whether the bytes are one JSON object. Only the outermost object may have a key twice.
    static func accepts(_ bytes: [UInt8]) -> Bool {
        guard let text = String(validating: bytes, as: UTF8.self) else { return false }
        var reference = Reference(text)
        do {
            reference.skipSpace()
            guard reference.rest.first == "{" else { return false }
            try reference.object(depth: 1)
            reference.skipSpace()
            return reference.rest.isEmpty
        } catch {
            return false
        }
    }

    private mutating func value(depth: Int) throws {
        switch rest.first {
        case "{": try object(depth: depth)
        case "[": try array(depth: depth)
        case "\"": _ = try string()
        case "t": try word("true")
        case "f": try word("false")
        case "n": try word("null")
        default: try number()
        }
    }

    private mutating func object(depth: Int) throws {
        guard depth <= 32 else { throw Refusal() }
        rest.removeFirst()
        var keys: Set<[UInt16]> = []
        skipSpace()
        if take("}") { return }
        repeat {
            skipSpace()
            guard rest.first == "\"" else { throw Refusal() }
            let isNew = keys.insert(try string()).inserted
            guard isNew || depth == 1 else { throw Refusal() }
            skipSpace()
            guard take(":") else { throw Refusal() }
            skipSpace()
            try value(depth: depth + 1)
            skipSpace()
        } while take(",")
        guard take("}") else { throw Refusal() }
    }

    private mutating func array(depth: Int) throws {
        guard depth <= 32 else { throw Refusal() }
        rest.removeFirst()
        skipSpace()
        if take("]") { return }
        repeat {
            skipSpace()
            try value(depth: depth + 1)
            skipSpace()
        } while take(",")
        guard take("]") else { throw Refusal() }
    }

    private mutating func string() throws -> [UInt16] {
        rest.removeFirst()
        var units: [UInt16] = []
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"":
                guard String(validating: units, as: UTF16.self) != nil else { throw Refusal() }
                return units
            case "\\": units.append(try escape())
            case "\0"..." " where scalar != " ": throw Refusal()
            default: units += Array(String(scalar).utf16)
            }
        }
        throw Refusal()
    }

    private mutating func escape() throws -> UInt16 {
        guard let letter = rest.popFirst() else { throw Refusal() }
        let plain: [Unicode.Scalar: UInt16] = [
            "\"": 0x22, "\\": 0x5C, "/": 0x2F, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9,
        ]
        if let unit = plain[letter] { return unit }
        let digits = String(String.UnicodeScalarView(rest.prefix(4)))
        let isHex = digits.unicodeScalars.allSatisfy { $0.isASCII && Character($0).isHexDigit }
        guard letter == "u", rest.count >= 4, isHex, let unit = UInt16(digits, radix: 16) else { throw Refusal() }
        rest = rest.dropFirst(4)
        return unit
    }

    private mutating func number() throws {
        _ = take("-")
        let integer = digits()
        guard integer == "0" || (!integer.isEmpty && integer.first != "0") else { throw Refusal() }
        if take(".") { guard !digits().isEmpty else { throw Refusal() } }
        if take("e") || take("E") {
            _ = take("+") || take("-")
            guard !digits().isEmpty else { throw Refusal() }
        }
    }

    private mutating func digits() -> String {
        let digits = rest.prefix { ("0"..."9").contains($0) }
        rest = rest.dropFirst(digits.count)
        return String(String.UnicodeScalarView(digits))
    }

    private mutating func word(_ word: String) throws {
        guard rest.starts(with: word.unicodeScalars) else { throw Refusal() }
        rest = rest.dropFirst(word.unicodeScalars.count)
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func skipSpace() { rest = rest.drop { [" ", "\t", "\n", "\r"].contains($0) } }
}
