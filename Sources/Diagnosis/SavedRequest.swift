import Bytes
package import Webhook

/// A request as it was captured: its head and its body.
package struct SavedRequest {
    package private(set) var method = "POST"
    /// As nginx hands it on.
    package private(set) var path: String
    package private(set) var fields: [HeaderField] = []
    /// Which fields have the name of one before them. nginx hands only the first on.
    package private(set) var repeats: Set<Int> = []
    private var names: Set<String> = []
    package let body: [UInt8]
    /// Whether it came over TLS.
    package let isEncrypted: Bool
    /// Whether the head is that of a whole request, with its first line: then what it lacks was not sent.
    package private(set) var isWhole = false

    /// - Parameters:
    ///   - head: lines `Name: value`, as curl's -H and -v and a request have them, with the request line before them or
    ///     without.
    ///   - path: where the request went; nil if the head has it.
    package init(
        head: [UInt8], body: [UInt8], path: String?, isEncrypted: Bool
    ) throws(SavedRequestFault) {
        self.body = body
        self.isEncrypted = isEncrypted
        self.path = "/webhook/servicedesk"
        for (index, line) in head.split(separator: .lineFeed, omittingEmptySubsequences: false).enumerated() {
            var line = line.last == .carriageReturn ? line.dropLast() : line
            if line.first == UInt8(ascii: ">") { line = line.dropFirst().drop { $0 == .space } }
            if line.isEmpty {
                if fields.isEmpty && !isWhole { continue }
                break
            }
            try take(line, number: index + 1)
        }
        if let path { self.path = path }
        self.path = SavedRequest.normalised(SavedRequest.withoutQuery(self.path))
    }

    private mutating func take(_ line: ArraySlice<UInt8>, number: Int) throws(SavedRequestFault) {
        let text = String(decoding: line, as: UTF8.self)
        if fields.isEmpty && !isWhole {
            let words = text.split(separator: " ")
            if words.count == 3, words[2].hasPrefix("HTTP/") {
                (method, path, isWhole) = (String(words[0]), String(words[1]), true)
                return
            }
            guard !text.hasPrefix("HTTP/") else {
                throw SavedRequestFault(
                    description: "begins with a status line: these are the headers of a response, not of the request")
            }
        }
        guard let colon = line.dropFirst().firstIndex(of: UInt8(ascii: ":")) else {
            throw SavedRequestFault(description: "line \(number) is not of the form Name: value")
        }
        let name = String(decoding: line[..<colon], as: UTF8.self)
        let value = [UInt8](line[(colon + 1)...])
        let trimmed = Array(value[value.span.trimmedRange])
        switch name {
        // As HTTP/2 has the request line.
        case ":method": (method, isWhole) = (String(decoding: trimmed, as: UTF8.self), true)
        case ":path": path = String(decoding: trimmed, as: UTF8.self)
        case let name where name.hasPrefix(":"): break
        default:
            if !names.insert(name.lowercased()).inserted { repeats.insert(fields.count) }
            fields.append(HeaderField(name, trimmed))
        }
    }

    /// The path alone, also of a whole URL.
    private static func withoutQuery(_ target: String) -> String {
        var path = Substring(target)
        if path.hasPrefix("http://") || path.hasPrefix("https://") {
            path = path.drop { $0 != "/" }.dropFirst(2).drop { $0 != "/" }
        }
        return String(path.prefix { $0 != "?" && $0 != "#" })
    }

    /// What nginx makes of a path: percent-encoding is undone, then `.` and `..` are followed and empty segments left out. One
    /// that nginx answers 400 stays as it is.
    private static func normalised(_ path: String) -> String {
        guard let text = pathDecoded(Array(path.utf8)), text.first == UInt8(ascii: "/") else { return path }
        var segments: [ArraySlice<UInt8>] = []
        let parts = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
        for part in parts {
            switch String(decoding: part, as: UTF8.self) {
            case "", ".": break
            case "..": guard segments.popLast() != nil else { return path }
            default: segments.append(part)
            }
        }
        let isDirectory = ["", ".", ".."].contains(String(decoding: parts.last ?? [], as: UTF8.self))
        let joined = segments.map { "/" + String(decoding: $0, as: UTF8.self) }.joined()
        return isDirectory ? joined + "/" : joined
    }

    /// The path that percent-encoding stands for; nil where nginx refuses it.
    private static func pathDecoded(_ path: [UInt8]) -> [UInt8]? {
        var decoded: [UInt8] = []
        var rest = path[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue, high + low > 0 else {
                return nil
            }
            decoded.append(high << 4 | low)
        }
        return decoded
    }

    /// The value of a header; nil if there is none, or an empty one. Of several the first, as nginx takes it.
    package func value(of name: String) -> [UInt8]? {
        let value = fields.first { $0.name.lowercased() == name.lowercased() }?.value ?? []
        return value.isEmpty ? nil : value
    }

    /// The Content-Length; nil if there is none, or none that is a number.
    package var declaredLength: Int? { value(of: "Content-Length").flatMap { $0.span.decimal } }
}

/// Why the saved headers are not those of a request.
package struct SavedRequestFault: Error, Equatable, CustomStringConvertible {
    package let description: String
}
