import Bytes

extension JSONTree {
    /// Reads the text of an object strictly. Null is not accepted.
    package init(_ text: Span<UInt8>) throws(JSONFault) {
        var reader = JSONReader()
        var members: [(name: String, value: JSONTree)] = []
        try reader.readText(in: text) { reader, key throws(JSONFault) in
            members.append((String(decoding: key.text(from: text), as: UTF8.self), try JSONTree(&reader, text)))
        }
        self = .object(members)
    }

    /// Reads the value at the reader's position.
    private init(_ reader: inout JSONReader, _ text: Span<UInt8>) throws(JSONFault) {
        let start = reader.position
        switch try reader.type(in: text) {
        case .string: self = .string(String(decoding: try reader.string(in: text).text(from: text), as: UTF8.self))
        case .boolean:
            try reader.skipValue(in: text)
            self = .boolean(text[start] == UInt8(ascii: "t"))
        case .number:
            try reader.skipValue(in: text)
            let numeral = text.extracting(start..<reader.position)
            let number = numeral.wholeNumber
            self = number.map { .number($0) } ?? .numeral(String(decoding: [UInt8](copying: numeral), as: UTF8.self))
        case .null: throw JSONFault(.unexpectedByte, at: start)
        case .array:
            var elements: [JSONTree] = []
            try reader.readElements(in: text) { reader, _ throws(JSONFault) in
                elements.append(try JSONTree(&reader, text))
            }
            self = .array(elements)
        case .object:
            var members: [(name: String, value: JSONTree)] = []
            try reader.readMembers(in: text) { reader, key throws(JSONFault) in
                members.append((String(decoding: key.text(from: text), as: UTF8.self), try JSONTree(&reader, text)))
            }
            self = .object(members)
        }
    }
}

/// Looking into a value, and changing it. What is absent, or of another type, is nil.
extension JSONTree {
    /// A member of an object. A new one is added at its end; nil removes one.
    package subscript(name: String) -> JSONTree? {
        get {
            guard case .object(let members) = self else { return nil }
            return members.first { $0.name == name }?.value
        }
        set {
            guard case .object(var members) = self else { return }
            let index = members.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append((name, value))
            case (nil, nil): return
            }
            self = .object(members)
        }
    }

    package var members: [(name: String, value: JSONTree)]? {
        if case .object(let members) = self { members } else { nil }
    }

    package var elements: [JSONTree]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    package var boolean: Bool? {
        if case .boolean(let value) = self { value } else { nil }
    }
}

extension Span<UInt8> {
    /// A number of 1 to 18 decimal digits, with or without a minus before them, or nil.
    fileprivate var wholeNumber: Int? {
        guard count > 0, self[0] == UInt8(ascii: "-") else { return decimal }
        return extracting(droppingFirst: 1).decimal.map { -$0 }
    }
}
