import FastCGI
import Testing

/// A parameter as text.
struct Parameter: Equatable, CustomStringConvertible {
    let name: String
    let value: String

    init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    init(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        self.init(Parameter.text(name), Parameter.text(value))
    }

    private static func text(_ bytes: Span<UInt8>) -> String {
        String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }

    var description: String { "\(name)=\(value)" }
}

func scan(_ bytes: [UInt8], bodyLimit: Int = 131_072) -> Scan {
    var scanner = RecordScanner(bodyLimit: bodyLimit)
    return scanner.scan(bytes.span)
}

/// The parameters of a request that is whole.
func parameters(of bytes: [UInt8]) throws -> [Parameter] {
    var scanner = RecordScanner(bodyLimit: 131_072)
    guard case .complete(let shape) = scanner.scan(bytes.span) else { throw Unscanned() }
    var found: [Parameter] = []
    let isWhole = scanner.forEachParameter(of: shape, in: bytes.span) { name, value in
        found.append(Parameter(name, value))
    }
    guard isWhole else { throw Unscanned() }
    return found
}

private struct Unscanned: Error {}

/// Scans every beginning of some bytes, and returns what is wrong with the results' order: each promise of `incomplete`
/// must be kept to the byte, and a verdict once given must stand.
func contradictions(in bytes: [UInt8], bodyLimit: Int = 131_072, step: Int = 1) -> [String] {
    var scanner = RecordScanner(bodyLimit: bodyLimit)
    var last = Scan.incomplete(needed: 0)
    var found: [String] = []
    for end in stride(from: 0, through: bytes.count, by: step) {
        let result = scanner.scan(bytes.span.extracting(first: end))
        switch (last, result) {
        case (.incomplete(let needed), .incomplete(let more)):
            if end < needed ? more != needed : more <= end { found.append("\(end): \(last), then \(result)") }
        case (.incomplete(let needed), _):
            if end < needed { found.append("\(end): \(last), then \(result)") }
        case (.complete, .refused(.bytesBehindRequest)): break
        case (.tooLong, .tooLong), (.refused, _): if last != result { found.append("\(end): \(last), then \(result)") }
        default: found.append("\(end): \(last), then \(result)")
        }
        last = result
    }
    return found
}
