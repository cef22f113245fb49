import Bytes
import JSON

/// Reading values of a type that the tenants file expects. A value of another type is a fault, and skipped.
extension TenantsJSON {
    mutating func readArray(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String,
        _ element: (inout TenantsJSON, inout JSONReader, String) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        guard try reader.type(in: text) == .array else {
            faults.add("\(place): expected an array")
            return try reader.skipValue(in: text)
        }
        try reader.readElements(in: text) { reader, index throws(JSONFault) in
            try element(&self, &reader, "\(place)[\(index)]")
        }
    }

    mutating func isObject(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Bool {
        if try reader.type(in: text) == .object { return true }
        faults.add("\(place): expected an object")
        try reader.skipValue(in: text)
        return false
    }

    mutating func string(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> [UInt8]? {
        if try reader.type(in: text) == .string { return try reader.string(in: text).text(from: text) }
        faults.add("\(place): expected a string")
        try reader.skipValue(in: text)
        return nil
    }

    /// A string whose bytes need not be wiped.
    mutating func text(_ reader: inout JSONReader, _ text: Span<UInt8>, at place: String) throws(JSONFault) -> String? {
        try string(&reader, text, at: place).map { String(decoding: $0, as: UTF8.self) }
    }

    /// One of a few strings.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Choice? {
        guard let value = try self.text(&reader, text, at: place) else { return nil }
        if let choice = Choice(rawValue: value) { return choice }
        faults.add("\(place): expected \(Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))")
        return nil
    }

    mutating func boolean(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Bool? {
        let isBoolean = try reader.type(in: text) == .boolean
        let isTrue = text[reader.position] == UInt8(ascii: "t")
        if !isBoolean { faults.add("\(place): expected true or false") }
        try reader.skipValue(in: text)
        return isBoolean ? isTrue : nil
    }

    /// A number of digits alone.
    mutating func wholeNumber(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Int? {
        let start = reader.position
        try reader.skipValue(in: text)
        if let number = text.extracting(start..<reader.position).decimal { return number }
        faults.add("\(place): expected a whole number")
        return nil
    }

    mutating func moment(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Int? {
        guard let value = try string(&reader, text, at: place) else { return nil }
        if Timestamp.isDateTime(value.span) { return Timestamp.seconds(of: value.span) }
        faults.add("\(place): expected an RFC 3339 date-time with an offset")
        return nil
    }

    mutating func skipUnknown(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) {
        faults.add("\(place): unknown member")
        try reader.skipValue(in: text)
    }

    /// A key of the file, for the name of a place. It may hold anything; what is told of it is too short for a secret.
    func place(_ name: [UInt8]) -> String {
        let isPlain =
            (1..<Secrets.minimumLength).contains(name.count)
            && name.allSatisfy { $0.isLowercaseLetter || $0.isDigit || $0 == UInt8(ascii: "_") }
        return isPlain ? String(decoding: name, as: UTF8.self) : "(a member of another name)"
    }
}
