import Bytes

/// Name-value pairs (FastCGI Specification 1.0, section 3.4), as PARAMS and GET_VALUES hold them.
enum NameValuePairs {
    /// Calls `body` with each name and value. Returns false, having stopped, at a length that exceeds the content.
    static func forEach(in content: Span<UInt8>, _ body: (Span<UInt8>, Span<UInt8>) -> Void) -> Bool {
        var offset = 0
        while offset < content.count {
            guard let name = length(in: content, at: &offset), let value = length(in: content, at: &offset),
                name <= content.count - offset, value <= content.count - offset - name
            else { return false }
            body(content.extracting(offset..<offset + name), content.extracting(offset + name..<offset + name + value))
            offset += name + value
        }
        return true
    }

    /// A length of one byte, or of four with the highest bit set.
    private static func length(in content: Span<UInt8>, at offset: inout Int) -> Int? {
        guard offset < content.count else { return nil }
        let first = Int(content[offset])
        guard first >= 0x80 else {
            offset += 1
            return first
        }
        guard offset + 4 <= content.count else { return nil }
        let rest = Int(content[offset + 1]) << 16 | Int(content[offset + 2]) << 8 | Int(content[offset + 3])
        offset += 4
        return (first & 0x7F) << 24 | rest
    }
}
