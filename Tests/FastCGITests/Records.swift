/// FastCGI records as a web server sends them (FastCGI Specification 1.0, section 3.3).
enum Kind {
    static let begin: UInt8 = 1
    static let abort: UInt8 = 2
    static let end: UInt8 = 3
    static let parameters: UInt8 = 4
    static let stdin: UInt8 = 5
    static let stdout: UInt8 = 6
    static let stderr: UInt8 = 7
    static let data: UInt8 = 8
    static let getValues: UInt8 = 9
}

func record(
    _ kind: UInt8, _ content: [UInt8] = [], length: Int? = nil, id: UInt16 = 1, padding: Int = 0, version: UInt8 = 1
) -> [UInt8] {
    let length = length ?? content.count
    let head = [
        version, kind, UInt8(id >> 8), UInt8(id & 255), UInt8(length >> 8), UInt8(length & 255), UInt8(padding), 0,
    ]
    return head + content + [UInt8](repeating: 0xAA, count: padding)
}

func begin(role: UInt16 = 1, keep: Bool = true, id: UInt16 = 1, padding: Int = 0) -> [UInt8] {
    let content = [UInt8(role >> 8), UInt8(role & 255), keep ? 1 : 0, 0, 0, 0, 0, 0]
    return record(Kind.begin, content, id: id, padding: padding)
}

/// A length of one byte, or of four where it is long or `wide`.
func length(_ count: Int, wide: Bool = false) -> [UInt8] {
    guard wide || count > 127 else { return [UInt8(count)] }
    return [UInt8(count >> 24) | 0x80, UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)]
}

func pair(_ name: String, _ value: String, wideName: Bool = false, wideValue: Bool = false) -> [UInt8] {
    let lengths = length(name.utf8.count, wide: wideName) + length(value.utf8.count, wide: wideValue)
    return lengths + Array(name.utf8) + Array(value.utf8)
}

/// A stream of records with `content` cut at `size`, and the empty one that ends it.
func stream(_ kind: UInt8, _ content: [UInt8], id: UInt16 = 1, size: Int = 32_768, padded: Bool = false) -> [UInt8] {
    var records: [UInt8] = []
    for start in stride(from: 0, to: content.count, by: size) {
        let part = Array(content[start..<min(start + size, content.count)])
        // As nginx pads: to a multiple of eight.
        records += record(kind, part, id: id, padding: padded ? (8 - part.count % 8) % 8 : 0)
    }
    return records + record(kind, id: id)
}

/// A whole request.
func request(
    _ parameters: [UInt8] = pair("REQUEST_METHOD", "POST"), body: [UInt8] = [], keep: Bool = true, id: UInt16 = 1,
    size: Int = 32_768, padded: Bool = false
) -> [UInt8] {
    begin(keep: keep, id: id) + stream(Kind.parameters, parameters, id: id, size: size, padded: padded)
        + stream(Kind.stdin, body, id: id, size: size, padded: padded)
}

/// Bytes that vary, so that a lost or repeated part is noticed.
func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8 &* 7) } }
