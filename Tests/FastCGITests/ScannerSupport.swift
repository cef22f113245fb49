import Testing

@testable import FastCGI

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

/// The parameters of a whole request.
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

/// Scans every prefix of some bytes, and returns the contradictions: a verdict once given must stand.
func contradictions(in bytes: [UInt8], bodyLimit: Int = 131_072) -> [String] {
    var scanner = RecordScanner(bodyLimit: bodyLimit)
    var last = Scan.unfinished
    var found: [String] = []
    for end in 0...bytes.count {
        let result = scanner.scan(bytes.span.extracting(first: end))
        switch (last, result) {
        case (.unfinished, _), (.complete, .refused(.trailingBytes)), (.complete, .unfinished): break
        default: if last != result { found.append("\(end): \(last), then \(result)") }
        }
        last = result
    }
    return found
}

/// The result of an assembly.
enum Assembled: Equatable {
    case incomplete(isEmpty: Bool)
    case complete(parameters: [Parameter], body: [UInt8], keepsConnection: Bool)
    case tooLong(bodyLength: Int)
    case endless
    case refused(ProtocolFault)
}

/// Feeds pieces to an assembly, and returns its result and its replies to management records.
func assemble(_ pieces: [[UInt8]], bodyLimit: Int = 131_072) throws -> (result: Assembled, replies: [UInt8]) {
    let budget = AssemblyBudget(bytesEach: 1)
    guard let share = budget.takeShare() else { throw Unscanned() }
    let assembly = RequestAssembly(bodyLimit: bodyLimit, share: share)
    var progress = RequestAssembly.Progress.incomplete
    var replies: [UInt8] = []
    for piece in pieces {
        do throws(ProtocolFault) {
            progress = try assembly.feed(piece.span)
        } catch {
            return (.refused(error), replies)
        }
        replies += assembly.takeReplies()
        if progress == .endless { return (.endless, replies) }
    }
    guard progress == .complete else { return (.incomplete(isEmpty: assembly.isEmpty), replies) }
    guard !assembly.isTooLong else { return (.tooLong(bodyLength: assembly.bodyLength), replies) }
    // What libfcgi gets is a request that the scanner accepts.
    var records: [UInt8] = []
    assembly.append(to: &records)
    var scanner = RecordScanner(bodyLimit: bodyLimit)
    guard case .complete(let shape) = scanner.scan(records.span) else { throw Unscanned() }
    var found: [Parameter] = []
    _ = scanner.forEachParameter(of: shape, in: records.span) { found.append(Parameter($0, $1)) }
    return (.complete(parameters: found, body: body(in: records), keepsConnection: shape.keepsConnection), replies)
}

/// The content of all STDIN records.
private func body(in records: [UInt8]) -> [UInt8] {
    var body: [UInt8] = []
    var offset = 0
    while offset < records.count {
        let length = Int(records[offset + 4]) << 8 | Int(records[offset + 5])
        if records[offset + 1] == Kind.stdin { body += records[offset + 8..<offset + 8 + length] }
        offset += 8 + length + Int(records[offset + 6])
    }
    return body
}
