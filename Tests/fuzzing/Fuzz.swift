import Bytes
import FastCGI
import Glibc
import JSON
import RESP
import Webhook

// One input for one of the parsers, by libFuzzer. Nothing may trap, and what each promises must hold.

/// A parser: what it is called, and what becomes of an input.
let parsers: [String: @Sendable ([UInt8]) -> Void] = [
    "records": records, "json": json, "ticket": ticket, "resp": resp, "signature": signature,
    "credentials": credentials, "tenants": tenants, "mapping": mapping,
]

/// libFuzzer's loop, which calls `body` with one input after the other.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: inout CInt, _ arguments: inout UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private let parser: @Sendable ([UInt8]) -> Void = {
    let name = unsafe getenv("FUZZ_PARSER").map { unsafe String(cString: $0) } ?? ""
    guard let parser = parsers[name] else { fatalError("FUZZ_PARSER must be one of \(parsers.keys.sorted())") }
    return parser
}()

@main
enum Fuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments = unsafe CommandLine.unsafeArgv
        exit(
            unsafe runFuzzer(&count, &arguments) { start, count in
                unsafe parser(Array(UnsafeBufferPointer(start: start, count: count)))
                return 0
            })
    }
}

/// A whole request stays whole, none of its beginnings is one, and its parameters are as long as was checked. An
/// assembly comes to the same however the bytes are cut, and gives libfcgi what the scanner accepts.
@Sendable private func records(_ bytes: [UInt8]) {
    var scanner = RecordScanner(bodyLimit: 1024)
    let whole = assemble(bytes, pieceLength: bytes.count)
    for length in [1, 3, 11] { precondition(assemble(bytes, pieceLength: length) == whole) }
    switch scanner.scan(bytes.span) {
    case .complete(let shape):
        precondition(shape.bodyLength <= 1024)
        var length = 0
        let isWhole = scanner.forEachParameter(of: shape, in: bytes.span) { length += $0.count + $1.count }
        precondition(isWhole && length <= bytes.count)
        for cut in [bytes.count - 1, bytes.count / 2, bytes.count / 3] {
            precondition(scanner.scan(bytes.span.extracting(first: cut)) == .unfinished)
        }
        precondition(whole == .progress(.complete))
    case .unfinished: break
    case .refused(let fault): precondition(whole == .refused(fault))
    }
}

private enum Assembled: Equatable {
    case progress(RequestAssembly.Progress)
    case refused(ProtocolFault)
}

private func assemble(_ bytes: [UInt8], pieceLength: Int) -> Assembled {
    guard let share = AssemblyBudget(bytesEach: 1).takeShare() else { fatalError("an empty budget") }
    let assembly = RequestAssembly(bodyLimit: 1024, share: share)
    var progress = RequestAssembly.Progress.incomplete
    for start in stride(from: 0, to: bytes.count, by: max(1, pieceLength)) {
        do throws(ProtocolFault) {
            progress = try assembly.feed(bytes.span.extracting(start..<min(bytes.count, start + pieceLength)))
        } catch {
            return .refused(error)
        }
        if progress == .endless { return .progress(.endless) }
    }
    if progress == .complete {
        var records: [UInt8] = []
        assembly.append(to: &records)
        var scanner = RecordScanner(bodyLimit: 1024)
        guard case .complete(let shape) = scanner.scan(records.span) else { fatalError("no request was assembled") }
        precondition(shape.bodyLength == (assembly.isTooLong ? 0 : assembly.bodyLength))
    }
    return .progress(progress)
}

/// What is accepted is UTF-8; strings come back from being escaped as they were.
@Sendable private func json(_ bytes: [UInt8]) {
    var reader = JSONReader()
    do throws(JSONFault) {
        try reader.beginObject(in: bytes.span)
        while let key = try reader.nextKey(in: bytes.span) {
            roundTrip(key, of: bytes)
            if try reader.type(in: bytes.span) == .string {
                roundTrip(try reader.string(in: bytes.span), of: bytes)
            } else {
                try reader.skipValue(in: bytes.span)
            }
        }
        try reader.end(in: bytes.span)
        precondition(String(validating: bytes, as: UTF8.self) != nil)
    } catch {
        precondition((0...bytes.count).contains(error.offset))
    }
}

private func roundTrip(_ string: JSONString, of bytes: [UInt8]) {
    let text = string.text(from: bytes.span)
    precondition(String(decoding: text, as: UTF8.self).unicodeScalars.count == string.scalars)
    var object = Array("{".utf8)
    object.append(jsonString: text.span)
    object.append(contentsOf: Array(":0}".utf8))
    var reader = JSONReader()
    do throws(JSONFault) {
        try reader.beginObject(in: object.span)
        guard let again = try reader.nextKey(in: object.span) else { fatalError("a written key is missing") }
        precondition(again.text(from: object.span) == text)
    } catch {
        fatalError("a written string is refused: \(error)")
    }
}

/// A ticket that is accepted makes a job that is JSON, and is of the tenant whose secret is looked up.
@Sendable private func ticket(_ bytes: [UInt8]) {
    var reader = TicketReader()
    var ticket = Ticket()
    do throws(PayloadFault) {
        try reader.read(bytes.span, into: &ticket)
    } catch {
        precondition(!error.rows.isEmpty)
        return
    }
    var tenant: [UInt8] = []
    reader.tenant(of: bytes.span, into: &tenant)
    precondition(tenant == ticket.tenantID && Ticket.isTenantID(tenant.span))
    json(job(of: bytes))
}

private let secret = Array("a secret of at least 32 bytes, it says".utf8)

/// The job of a valid ticket, signed.
private func job(of body: [UInt8]) -> [UInt8] {
    var handler = Handler(
        secrets: Secrets(shared: secret), bodyLimit: Handler.largestBody, unknownFields: .reject, maxAge: 0,
        encoder: JobEncoder(.plain, members: [.event, .deliveryID], task: "", queue: ""))
    var signature: [UInt8] = []
    signature.append(hex: Authenticator(key: secret.span).tag(of: body.span))
    var exchange = Exchange()
    for (name, value) in [
        ("REQUEST_METHOD", Array("POST".utf8)), ("SCRIPT_NAME", Array("/webhook/servicedesk".utf8)),
        ("CONTENT_TYPE", Array("application/json".utf8)), ("HTTP_X_SERVICEDESK_SIGNATURE", signature),
    ] {
        let name = Array(name.utf8)
        exchange.take(name.span, value.span, headers: handler.secrets.headers)
    }
    exchange.complete(bodyLength: body.count, random: &handler.random)
    var queue = LastJob()
    let disposition = handler.handle(
        &exchange, body: body.span, time: Array("2026-11-24T10:29:24.123456Z".utf8),
        request: RequestHandle(slot: 0, generation: 0), queue: &queue)
    precondition(disposition == .queued)
    return queue.job
}

struct LastJob: JobQueue {
    private(set) var job: [UInt8] = []

    mutating func push(
        _ job: Span<UInt8>, id: [UInt8], delivery: NamedDelivery?, for request: RequestHandle
    ) -> Reason? {
        self.job.append(job)
        return nil
    }
}

/// Replies are the same wherever their bytes are cut.
@Sendable private func resp(_ bytes: [UInt8]) {
    let whole = replies(in: [bytes])
    let cut = bytes.isEmpty ? 0 : Int(bytes[0]) % bytes.count
    precondition(replies(in: [Array(bytes[..<cut]), Array(bytes[cut...])]) == whole)
}

private struct Parsing: Equatable {
    var replies: [Reply] = []
    var fault: ReplyFault?
}

private func replies(in parts: [[UInt8]]) -> Parsing {
    var parser = ReplyParser(replyLimit: 4096)
    var input: [UInt8] = []
    var parsing = Parsing()
    for part in parts {
        input += part
        do throws(ReplyFault) {
            while let reply = try parser.next(in: input.span) { parsing.replies.append(reply) }
        } catch {
            parsing.fault = error
            return parsing
        }
        input.removeFirst(parser.consumed)
        parser.discardConsumed()
    }
    return parsing
}

/// A tag that is accepted is what the digits say.
@Sendable private func signature(_ bytes: [UInt8]) {
    guard let tag = Tag(hexadecimal: bytes.span) else { return }
    var digits: [UInt8] = []
    digits.append(hex: tag)
    precondition(bytes.map(\.lowercased) == digits)
}

/// A file with a key of every mode.
private let everyMode = #"""
    {"tenants": [{"id": "acme", "keys": [
      {"id": "1", "mode": "servicedesk", "secret": "a secret of at least 32 bytes, 1"},
      {"id": "2", "mode": "standard-webhooks", "secret": "whsec_YSBrZXkgb2YgYXQgbGVhc3QgMjQgYnl0ZXM="},
      {"id": "3", "mode": "hmac", "header": "X-A", "prefix": "sha256=", "secret": "a secret of at least 32 bytes, 3"},
      {"id": "4", "mode": "hmac", "header": "X-B", "encoding": "base64", "signed": "body-timestamp",
        "timestamp_header": "X-T", "timestamp_format": "rfc3339", "secret": "a secret of at least 32 bytes, 4"},
      {"id": "5", "mode": "token", "plaintext": true, "secret": "a-token-of-at-least-32-characters"},
      {"id": "6", "mode": "basic", "plaintext": true, "user": "desk", "secret": "a-password-of-at-least-32-characters"}]}]}
    """#

func noSecretFile(_ path: String) -> Result<[UInt8], SecretReadFault> {
    .failure(SecretReadFault(description: "no file"))
}

/// Header lines, `name: value`, and after an empty line the body: nobody guesses a credential.
@Sendable private func credentials(_ bytes: [UInt8]) {
    let file = Array(everyMode.utf8)
    guard let table = try? TenantsJSON.parse(file.span, readSecret: noSecretFile) else {
        fatalError("a fault in the file")
    }
    var secrets = Secrets(tenants: table)
    var presented = CredentialHeaders()
    var lines = bytes.split(separator: .lineFeed, omittingEmptySubsequences: false)[...]
    while let line = lines.popFirst(), !line.isEmpty {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
        let name = HeaderNames.variable(of: String(decoding: line[..<colon], as: UTF8.self))
        let value = Array(line[(colon + 1)...])
        presented.take(name.span, value.span, headers: secrets.headers)
    }
    let body = Array(lines.joined(separator: [.lineFeed]))
    let claimant = Claimant(isSender: false, id: Array("acme".utf8))
    let verdict = secrets.check(presented, of: body.span, from: claimant, at: 1_795_478_400)
    if case .accepted = verdict { fatalError("accepted") }
}

/// A tenants file, as lines or JSON: one that is accepted has the keys that a tool finds in it.
@Sendable private func tenants(_ bytes: [UInt8]) {
    guard bytes.first == UInt8(ascii: "{") else {
        guard let table = try? TenantsFile.parse(bytes.span) else { return }
        precondition((try? TenantsFile.heldKeys(bytes.span).count) == table.keyCount)
        return
    }
    guard let table = try? TenantsJSON.parse(bytes.span, readSecret: noSecretFile) else { return }
    precondition((try? TenantsJSON.heldKeys(bytes.span, readSecret: noSecretFile).count) == table.keyCount)
}
