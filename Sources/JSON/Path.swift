import Bytes

/// A path to a value in nested objects: a key for each level, the outermost first.
package struct JSONPath: Hashable, Sendable {
    /// Levels, at most.
    package static let limit = 8

    package let keys: [[UInt8]]

    /// The keys with full stops between them.
    package var text: String { text(first: keys.count) }

    /// The first keys with full stops between them.
    package func text(first count: Int) -> String {
        String(decoding: Array(keys.prefix(count).joined(separator: ".".utf8)), as: UTF8.self)
    }

    /// Whether it leads into the value at another path.
    package func continues(_ other: JSONPath) -> Bool {
        keys.count > other.keys.count && keys.starts(with: other.keys)
    }

    /// - Parameter text: keys with full stops between them, such as `request.account.name`.
    package init?(_ text: [UInt8]) {
        let keys = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Array($0) }
        guard (1...JSONPath.limit).contains(keys.count), keys.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.keys = keys
    }

    /// The string at the path, its escapes replaced, or the number there, as it is written; nil if neither is there.
    ///
    /// A key that occurs twice in a nested object goes unnoticed here; a `JSONReader` that checks keys finds it.
    package func text(in bytes: Span<UInt8>) throws(JSONFault) -> [UInt8]? {
        var reader = JSONReader(checksKeys: false)
        var hasFirst = false
        var text: [UInt8]?
        try reader.beginObject(in: bytes)
        while let key = try reader.nextKey(in: bytes) {
            guard key.text(from: bytes) == keys[0] else {
                try reader.skipValue(in: bytes)
                continue
            }
            guard !hasFirst else { throw JSONFault(.duplicateKey, at: key.range.lowerBound) }
            hasFirst = true
            text = try read(&reader, bytes, level: 1)
        }
        try reader.end(in: bytes)
        return text
    }

    private func read(_ reader: inout JSONReader, _ bytes: Span<UInt8>, level: Int) throws(JSONFault) -> [UInt8]? {
        let type = try reader.type(in: bytes)
        if level == keys.count {
            if type == .string { return try reader.string(in: bytes).text(from: bytes) }
            let start = reader.position
            try reader.skipValue(in: bytes)
            guard type == .number else { return nil }
            var text: [UInt8] = []
            text.append(bytes.extracting(start..<reader.position))
            return text
        }
        guard type == .object else {
            try reader.skipValue(in: bytes)
            return nil
        }
        var text: [UInt8]?
        try reader.readMembers(in: bytes) { reader, key throws(JSONFault) in
            if key.text(from: bytes) == keys[level] {
                text = try read(&reader, bytes, level: level + 1)
            } else {
                try reader.skipValue(in: bytes)
            }
        }
        return text
    }
}
