import ArgumentParser
import Bytes
import System
import Webhook

/// A request as somebody has captured it: the lines of its head, and its body.
struct CapturedRequest {
    private(set) var method = "POST"
    private(set) var path = "/webhook/servicedesk"
    private(set) var fields: [HeaderField] = []
    let body: [UInt8]
    var isEncrypted = false

    /// - Parameter head: `Name: value` lines, as `curl -v` or a proxy shows them, with `> ` before them or not; a request
    ///   line may stand first.
    init(head: [UInt8], body: [UInt8], path: String?) throws {
        self.body = body
        for (index, line) in head.split(separator: .lineFeed, omittingEmptySubsequences: false).enumerated() {
            var line = Array(line)
            if line.last == .carriageReturn { line.removeLast() }
            if line.starts(with: "> ".utf8) { line.removeFirst(2) }
            guard !line.isEmpty else { continue }
            if let (method, path) = CapturedRequest.requestLine(line) {
                (self.method, self.path) = (method, path)
                continue
            }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
                throw ValidationError("line \(index + 1) of the headers is not `Name: value`")
            }
            let value = line[(colon + 1)...]
            let range = Array(value).span.trimmedRange
            fields.append(
                HeaderField(String(decoding: line[..<colon], as: UTF8.self), Array(Array(value)[range])))
        }
        if let path { self.path = path }
    }

    private static func requestLine(_ line: [UInt8]) -> (method: String, path: String)? {
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        guard words.count == 3, words[2].hasPrefix("HTTP/") else { return nil }
        return (String(words[0]), String(words[1].prefix { $0 != "?" }))
    }

    func value(of name: String) -> [UInt8]? { fields.last { $0.name.lowercased() == name.lowercased() }?.value }

    /// The same request with another body or other headers.
    func with(body: [UInt8]? = nil, fields: [HeaderField]? = nil) -> CapturedRequest {
        var copy = self
        if let fields { copy.fields = fields }
        return body.map { CapturedRequest(copy, body: $0) } ?? copy
    }

    private init(_ other: CapturedRequest, body: [UInt8]) {
        (method, path, fields, isEncrypted) = (other.method, other.path, other.fields, other.isEncrypted)
        self.body = body
    }

    // MARK: The responder's answer

    /// What the responder would do with it.
    struct Outcome {
        let disposition: Disposition
        let exchange: Exchange
    }

    func outcome(_ secrets: Secrets, now: Int) -> Outcome {
        var handler = Handler(
            secrets: secrets, bodyLimit: Handler.largestBody, unknownFields: .reject, maxAge: 0, encoder: .plain([]))
        var exchange = Exchange()
        var variables = [
            ("REQUEST_METHOD", Array(method.utf8)), ("SCRIPT_NAME", Array(path.utf8)),
            ("CONTENT_LENGTH", Array("\(body.count)".utf8)), ("CONTENT_TYPE", value(of: "Content-Type") ?? []),
            ("HTTPS", Array((isEncrypted ? "on" : "").utf8)),
        ]
        for field in fields {
            variables.append((String(decoding: HeaderNames.variable(of: field.name), as: UTF8.self), field.value))
        }
        for (name, value) in variables {
            let name = Array(name.utf8)
            exchange.take(name.span, value.span, headers: secrets.headers)
        }
        exchange.complete(bodyLength: body.count, random: &handler.random)
        var queue = NoQueue()
        let disposition = handler.handle(
            &exchange, body: body.span, time: Timestamp.format(Int64(now) * 1_000_000),
            request: RequestHandle(slot: 0, generation: 0), queue: &queue)
        return Outcome(disposition: disposition, exchange: exchange)
    }
}

/// Takes jobs, and queues nothing.
private struct NoQueue: JobQueue {
    mutating func push(
        _ job: Span<UInt8>, id: [UInt8], delivery: NamedDelivery?, for request: RequestHandle
    ) -> Reason? { nil }
}
