import TestSupport
import Testing
import Webhook

/// The checks in the contract's order.
struct HandlerTests {
    // MARK: Order

    /// A request that fails every check; the faults are repaired one by one, in the order of the checks.
    @Test func `the first check that fails decides the response`() {
        var desk = Desk(bodyLimit: 1000)
        desk.queue.refusal = .notConnected
        var request = Request {
            $0.script = "/nowhere"
            $0.method = "PUT"
            $0.length = "1001"
            $0.signature = ""
            $0.contentType = "text/plain"
            $0.body = utf8("no JSON")
            $0.others = [("HTTP_WEBHOOK_ID", "not visible")]
        }
        #expect(desk.handle(request).disposition == .answer(.unknownPath))
        request.script = "/webhook/servicedesk"
        #expect(desk.handle(request).disposition == .answer(.methodNotAllowed))
        request.method = "POST"
        #expect(desk.handle(request).disposition == .answer(.tooLarge))
        request.length = "8"
        #expect(desk.handle(request).disposition == .drop)
        request.length = nil
        #expect(desk.handle(request).disposition == .answer(.missingSignature))
        request.signature = "wrong"
        #expect(desk.handle(request).disposition == .answer(.invalidSignature))
        request.signature = nil
        #expect(desk.handle(request).disposition == .answer(.unsupportedMediaType))
        request.contentType = "application/json"
        #expect(desk.handle(request).disposition == .answer(.invalidJSON))
        request.body = utf8("{}")
        #expect(desk.handle(request).disposition == .answer(.invalidFields))
        request.body = Payload().bytes
        #expect(desk.handle(request).disposition == .answer(.invalidDeliveryID))
        #expect(desk.queue.pushes.isEmpty)
        request.others = []
        #expect(desk.handle(request).disposition == .answer(.notConnected))
        desk.queue.refusal = nil
        #expect(desk.handle(request).disposition == .queued)
    }

    // MARK: Path and method

    @Test(arguments: [
        ("/webhook/servicedesk", "", Disposition.queued), ("", "/webhook/servicedesk", .queued),
        ("/webhook", "/servicedesk", .queued),
        ("/webhook/service", "desk", .queued), ("/webhook/servicedesk", "/", .answer(.unknownPath)),
        ("/webhook/servicedesk/", "", .answer(.unknownPath)), ("/Webhook/servicedesk", "", .answer(.unknownPath)),
        ("/webhook/servicedes", "", .answer(.unknownPath)), ("", "", .answer(.unknownPath)),
        ("/", "", .answer(.unknownPath)),
        ("/webhook/servicedesk", "/webhook/servicedesk", .answer(.unknownPath)),
        ("/webhook//servicedesk", "", .answer(.unknownPath)), ("/webhook/servicedesk?x", "", .answer(.unknownPath)),
        ("/metrics", "", .answer(.methodNotAllowed)), ("/health/live", "", .answer(.methodNotAllowed)),
        (String(repeating: "/", count: 300), "/webhook/servicedesk", .answer(.unknownPath)),
    ])
    func `the path is SCRIPT_NAME followed by PATH_INFO`(script: String, path: String, expected: Disposition) {
        #expect(
            outcome {
                $0.script = script
                $0.path = path
            }.disposition == expected)
    }

    @Test(arguments: ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "post", "POST ", "", "POSTS"])
    func `the webhook allows only POST`(method: String) {
        #expect(outcome { $0.method = method }.disposition == .answer(.methodNotAllowed))
    }

    @Test(arguments: [("/metrics", Disposition.metrics), ("/health/live", .live), ("/health/ready", .ready)])
    func `metrics and health allow only GET and HEAD`(path: String, expected: Disposition) {
        for method in ["GET", "HEAD"] {
            #expect(
                outcome {
                    $0.script = path
                    $0.method = method
                }.disposition == expected)
        }
        for method in ["POST", "PUT", "DELETE", ""] {
            #expect(
                outcome {
                    $0.script = path
                    $0.method = method
                }.disposition == .answer(.methodNotAllowed))
        }
    }

    // MARK: Age

    /// Desk.time is 2026-11-24T10:30:00Z.
    @Test(arguments: [
        ("2026-11-24T10:25:00Z", true), ("2026-11-24T10:24:59Z", false), ("2026-11-24T10:35:00.9Z", true),
        ("2026-11-24T10:35:01Z", false), ("2026-11-24T11:29:00+01:00", true), ("2026-11-24T10:29:00+01:00", false),
        ("2026-11-24T09:30:00-01:00", true), ("2025-11-24T10:30:00Z", false), ("0001-01-01T00:00:00Z", false),
    ])
    func `a ticket further from now than the maximum age is refused`(createdAt: String, isAccepted: Bool) {
        let body = Payload().with("created_at", #""\#(createdAt)""#).bytes
        var strict = Desk(maxAge: 300)
        let outcome = strict.handle(Request { $0.body = body })
        #expect(outcome.disposition == (isAccepted ? .queued : .answer(.staleTicket)))
        if !isAccepted {
            #expect(outcome.answer.contains(#"[{"field":"created_at","message":"must be within 300 seconds of now"}]"#))
            #expect(outcome.answer.hasPrefix("Status: 400 "))
        }
        var lenient = Desk()
        #expect(lenient.handle(Request { $0.body = body }).disposition == .queued)
    }

    // MARK: Length

    @Test func `a body that is not as long as declared is dropped without a response`() {
        let count = Payload().bytes.count
        for length in [
            "\(count - 1)", "\(count + 1)", "0", "-2", "--1", "+\(count)", "x", "\(count) ", "1e3", "0x10", " ",
        ] {
            #expect(outcome { $0.length = length }.disposition == .drop, "\(length)")
        }
        #expect(outcome { $0.length = "000\(count)" }.disposition == .queued)
        // A chunked body declares no length, which Caddy writes as -1; the signature shows whether it is whole.
        for undeclared in ["", "-1"] {
            #expect(outcome { $0.length = undeclared }.disposition == .queued)
            #expect(
                outcome {
                    $0.length = undeclared
                    $0.signature = sign(Payload().bytes)
                    $0.body = Payload().bytes.dropLast()
                }.disposition == .answer(.invalidSignature))
        }
        #expect(
            outcome {
                $0.body = []
                $0.length = ""
                $0.signature = ""
            }.disposition == .answer(.missingSignature))
        #expect(
            outcome {
                $0.body = []
                $0.length = "0"
                $0.signature = ""
            }.disposition == .answer(.missingSignature))
    }

    @Test func `the body limit applies to the declared and to the real length`() {
        let body = Payload().bytes
        func disposition(limit: Int, length: String? = nil, real: Int? = nil) -> Disposition {
            var desk = Desk(bodyLimit: limit)
            return desk.handle(Request { $0.length = length }, bodyLength: real).disposition
        }
        #expect(disposition(limit: body.count) == .queued)
        #expect(disposition(limit: body.count - 1) == .answer(.tooLarge))
        #expect(disposition(limit: 131_072, length: "131072") == .drop)
        #expect(disposition(limit: 131_072, length: "131073") == .answer(.tooLarge))
        #expect(disposition(limit: 131_072, length: "999999999999999999") == .answer(.tooLarge))
        #expect(disposition(limit: 131_072, length: String(repeating: "9", count: 40)) == .answer(.tooLarge))
        #expect(disposition(limit: 131_072, length: "10", real: 131_073) == .answer(.tooLarge))
        #expect(disposition(limit: 131_072, length: "", real: 131_073) == .answer(.tooLarge))
        #expect(disposition(limit: 131_072, length: "10", real: 131_072) == .drop)
    }

    @Test func `a payload of exactly the body limit is queued`() {
        // 10,000 emoji as escapes are 120,000 bytes; white space makes up the rest.
        let description = "\"" + String(repeating: #"\ud83d\ude00"#, count: 10_000) + "\""
        let payload = Payload().with("description", description).bytes
        let body = payload + [UInt8](repeating: 0x20, count: 131_072 - payload.count)
        #expect(outcome { $0.body = body }.disposition == .queued)
        #expect(outcome { $0.body = body + [0x20] }.disposition == .answer(.tooLarge))
    }

    // MARK: The queue

    @Test func `every refusal by the queue becomes the response`() {
        for reason in Reason.allCases where reason.isQueueFailure {
            var desk = Desk()
            desk.queue.refusal = reason
            #expect(desk.handle(Request()).disposition == .answer(reason))
        }
    }

    @Test func `the queue gets the handle of the request`() {
        var desk = Desk()
        _ = desk.handle(Request(), handle: RequestHandle(slot: 3, generation: 9))
        #expect(desk.queue.pushes.map(\.request) == [RequestHandle(slot: 3, generation: 9)])
    }

    // MARK: Deliveries

    private func delivery(_ variables: [(String, String)]) -> String? {
        outcome { $0.others = variables }.queue.pushes.first?.delivery?.id.text
    }

    @Test func `a delivery is named by webhook-id, or else by Idempotency-Key`() {
        #expect(delivery([]) == nil)
        #expect(delivery([("HTTP_WEBHOOK_ID", "")]) == nil)
        #expect(delivery([("HTTP_WEBHOOK_ID", "msg_1")]) == "msg_1")
        #expect(delivery([("HTTP_IDEMPOTENCY_KEY", "\"key-2\"")]) == "\"key-2\"")
        #expect(delivery([("HTTP_WEBHOOK_ID", "a"), ("HTTP_IDEMPOTENCY_KEY", "b")]) == "a")
        #expect(delivery([("HTTP_IDEMPOTENCY_KEY", "b"), ("HTTP_WEBHOOK_ID", "a")]) == "a")
        #expect(delivery([("HTTP_IDEMPOTENCY_KEY", "b"), ("HTTP_WEBHOOK_ID", "")]) == "b")
        #expect(delivery([("HTTP_IDEMPOTENCY_KEY", "not visible"), ("HTTP_WEBHOOK_ID", "a")]) == "a")
        #expect(delivery([("HTTP_WEBHOOK_ID", "a"), ("HTTP_IDEMPOTENCY_KEY", "not visible")]) == "a")
        let longest = String(repeating: "~", count: 255)
        #expect(delivery([("HTTP_WEBHOOK_ID", longest)]) == longest)
    }

    @Test func `a named delivery has its tenant and the digest of its body`() throws {
        let result = outcome { $0.others = [("HTTP_WEBHOOK_ID", "msg_1")] }
        let delivery = try #require(result.queue.pushes.first?.delivery)
        #expect(delivery.tenantID == utf8("acme"))
        #expect(bytes(of: delivery.digest) == bytes(of: digest(of: Payload().bytes.span)))
    }

    @Test(arguments: ["a b", " ", "a\tb", "é", "a\r\nb", "\0", "\u{7F}", String(repeating: "x", count: 256)])
    func `an invalid delivery id is refused, and the fault names its header`(name: String) {
        for (header, field) in [("HTTP_WEBHOOK_ID", "webhook-id"), ("HTTP_IDEMPOTENCY_KEY", "Idempotency-Key")] {
            let result = outcome { $0.others = [(header, name)] }
            #expect(result.disposition == .answer(.invalidDeliveryID))
            let row = #"{"field":"\#(field)","message":"must be 1 to 255 visible ASCII characters"}"#
            #expect(result.answer.contains(row))
            #expect(result.queue.pushes.isEmpty)
        }
    }

    // MARK: Request ids

    @Test(arguments: ["x", "0123456789abcdef0123456789abcdef", "a\"b\\c", String(repeating: "~", count: 128)])
    func `a valid request id is kept`(id: String) {
        #expect(outcome { $0.requestID = id }.exchange.requestID == utf8(id))
    }

    @Test(arguments: [
        nil, "", " ", "a b", "a\r\nX-Evil: 1", "a\n", "\0", "é", "\u{7F}", String(repeating: "x", count: 129),
    ])
    func `a missing or invalid request id is replaced by a new one`(id: String?) {
        let ids = (0..<3).map { _ in outcome { $0.requestID = id }.exchange.requestID.text }
        #expect(Set(ids).count == 3)
        for id in ids { #expect(id.count == 32 && id.allSatisfy { "0123456789abcdef".contains($0) }) }
    }

    @Test func `a reset exchange keeps nothing of the last request`() {
        var random = RandomSource()
        var exchange = Request {
            $0.others = [("HTTP_WEBHOOK_ID", "a b"), ("REMOTE_ADDR", "192.0.2.1")]
        }.exchange(random: &random)
        #expect(
            exchange.method == .post && exchange.bodyType == .json && exchange.hasInvalidDeliveryID
                && exchange.route == .webhook)
        #expect(exchange.remoteAddress == utf8("192.0.2.1"))
        exchange.reset()
        #expect(
            exchange.method == .other && exchange.bodyType == .other && !exchange.hasInvalidDeliveryID
                && exchange.route == .unknown)
        #expect(exchange.declaredLength == .absent && exchange.requestID.isEmpty && exchange.remoteAddress.isEmpty)
        #expect(
            exchange.deliveryID.isEmpty && exchange.jobID.isEmpty && exchange.faults.isEmpty && exchange.bodyLength == 0
        )
        var secrets = Secrets(shared: secret)
        let empty: [UInt8] = []
        let verdict = secrets.check(exchange.credentials, of: empty.span, from: Claimant(), at: 0)
        #expect(verdict == .refused(.headerMissing))
    }
}
