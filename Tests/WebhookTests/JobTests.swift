import TestSupport
import Testing
import Webhook

struct JobTests {
    private func isUUID(_ text: some StringProtocol) -> Bool {
        text == text.lowercased() && UUID.isVersion4(Array(text.utf8).span)
    }

    @Test func `a job has its members in the contract's order`() throws {
        let result = outcome {
            $0.body = Payload().with("correlation_id", #""A1B2C3D4-E5F6-4789-ABCD-0123456789ef""#).bytes
        }
        let push = try #require(result.queue.pushes.first)
        #expect(result.disposition == .queued && isUUID(push.id.text) && push.id == result.exchange.jobID)
        let expected =
            #"{"job_id":"\#(push.id.text)","ticket_id":"TCK-1042","tenant_id":"acme","description":"Printer \u00e9 😀","#
            + #""priority":"high","timestamp":"2026-11-24T10:29:24+01:00","created_at":"2026-11-24T10:30:00.000001Z","#
            + #""correlation_id":"A1B2C3D4-E5F6-4789-ABCD-0123456789ef"}"#
        #expect(push.job.text == expected)
        #expect(isJSONObject(push.job.text[...]))
    }

    @Test(arguments: [nil, "null"])
    func `a ticket without a correlation id gets a new one`(value: String?) throws {
        let body = value.map { Payload().with("correlation_id", $0) } ?? Payload()
        let result = outcome { $0.body = body.bytes }
        let job = try #require(result.jobs.first)
        let made = job.suffix(38).prefix(36)
        #expect(isUUID(made) && made != result.exchange.jobID.text)
        #expect(job.hasSuffix(#","correlation_id":"\#(made)"}"#))
    }

    @Test func `every push has a new job id and a new correlation id`() {
        var desk = Desk()
        let count = 500
        for _ in 0..<count { _ = desk.handle(Request()) }
        let jobs = desk.queue.pushes.map(\.job.text)
        #expect(jobs.count == count)
        #expect(Set(jobs.map { $0.dropFirst(11).prefix(36) }).count == count)
        #expect(Set(jobs.map { $0.suffix(38).prefix(36) }).count == count)
        #expect(jobs.allSatisfy { isUUID($0.dropFirst(11).prefix(36)) })
    }

    @Test(arguments: [
        #"\"\\\/\b\f\n\r\t"#, #"\u00e9\ud83d\ude00"#, "plain é😀 \u{2028}\u{7F}", #"</script>\u003c"#, #"\\u0000"#,
        String(repeating: "x", count: 300),
    ])
    func `a description is copied byte for byte, escapes and all`(content: String) throws {
        let result = outcome { $0.body = Payload().with("description", "\"\(content)\"").bytes }
        let job = try #require(result.jobs.first)
        #expect(job.contains(#","description":"\#(content)","priority":"#))
        #expect(isJSONObject(job[...]))
    }

    @Test func `fields other than the description are written without escapes`() throws {
        let payload = Payload().with("ticket_id", #""\u0054\u002d1""#).with("tenant_id", #""\u0061cme""#).with(
            "priority", #""l\u006fw""#
        )
        .with("created_at", #""2026\u002d11-24t10:29:24\u007a""#)
        let job = try #require(outcome { $0.body = payload.bytes }.jobs.first)
        #expect(job.contains(#""ticket_id":"T-1","tenant_id":"acme","#))
        #expect(job.contains(#""priority":"low","timestamp":"2026-11-24T10:29:24Z","#))
    }

    @Test func `ignored fields are not part of the job`() throws {
        var desk = Desk(unknownFields: .ignore)
        let body = Payload().adding("extra", #""value""#).bytes
        let result = desk.handle(Request { $0.body = body })
        #expect(result.disposition == .queued)
        #expect(!(try #require(result.jobs.first)).contains("extra"))
    }

    @Test(arguments: [
        ("2026-11-24t10:29:24z", "2026-11-24T10:29:24Z"),
        ("2026-11-24t10:29:24.5+01:00", "2026-11-24T10:29:24.5+01:00"),
        ("2026-11-24T10:29:24Z", "2026-11-24T10:29:24Z"),
    ])
    func `the timestamp is the sender's, with T and Z in upper case`(sent: String, expected: String) throws {
        let job = try #require(outcome { $0.body = Payload().with("created_at", "\"\(sent)\"").bytes }.jobs.first)
        #expect(job.contains(#","timestamp":"\#(expected)","#))
    }

    @Test func `without a setting, a job has neither event nor delivery id nor trace context`() throws {
        let result = outcome { $0.others = [("HTTP_WEBHOOK_ID", "msg-1"), ("HTTP_TRACEPARENT", traceParent)] }
        let job = try #require(result.jobs.first)
        #expect(!job.contains("event") && !job.contains("delivery_id") && !job.contains("trace"))
    }

    @Test func `members of the setting follow the others, in a fixed order`() throws {
        var desk = Desk(encoder: .plain(try #require(JobMembers("traceparent,delivery_id,event"))))
        let result = desk.handle(
            Request {
                $0.body = Payload().with("event", #""ticket_\u00fcpdated \"2\"""#).bytes
                $0.others = [
                    ("HTTP_WEBHOOK_ID", #"a"b\c"#), ("HTTP_TRACEPARENT", traceParent),
                    ("HTTP_TRACESTATE", "congo=t61rcWkgMzE"),
                ]
            })
        let job = try #require(result.jobs.first)
        let span = result.exchange.trace.spanID.text
        #expect(
            job.hasSuffix(
                #"","event":"ticket_\u00fcpdated \"2\"","delivery_id":"a\"b\\c","#
                    + #""traceparent":"00-0af7651916cd43dd8448eb211c80319c-\#(span)-01","tracestate":"congo=t61rcWkgMzE"}"#
            ))
        #expect(isJSONObject(job[...]))
    }

    @Test func `a delivery that its sender has not named is named by the digest of its body`() throws {
        var desk = Desk(encoder: .plain(.deliveryID))
        let request = Request()
        let result = desk.handle(request)
        #expect(result.queue.pushes[0].delivery == nil)
        let name = "sha256:\(bytes(of: digest(of: request.body.span)).hex)"
        #expect(try #require(result.jobs.first).hasSuffix(#","delivery_id":"\#(name)"}"#))
    }

    @Test(arguments: [
        "", "Event", "event,", ",event", "event delivery_id", "event;delivery_id", "job_id", "tracestate",
    ])
    func `a list with a name that is unknown or empty is refused`(list: String) {
        #expect(JobMembers(list) == nil)
    }

    @Test func `a list of names may have any order, and repeat itself`() {
        #expect(JobMembers("event") == .event && JobMembers("delivery_id,event,event") == [.event, .deliveryID])
        #expect(JobMembers("traceparent") == .traceContext)
    }

    @Test func `UUIDs have version 4, their variant, and no repeats`() {
        var random = RandomSource()
        var texts: Set<[UInt8]> = []
        for _ in 0..<1000 {
            var text = utf8("x")
            UUID(from: &random).append(to: &text)
            #expect(text.count == 37 && isUUID(text.text.dropFirst()))
            texts.insert(text)
        }
        #expect(texts.count == 1000)
        var zero: [UInt8] = []
        UUID.zero.append(to: &zero)
        #expect(zero.text == "00000000-0000-0000-0000-000000000000" && !isUUID(zero.text))
        #expect(UUID.zero == UUID.zero && UUID(from: &random) != UUID(from: &random))
    }
}
