import TestSupport
import Testing
import Webhook

struct CeleryMessageTests {
    private func message(
        members: JobMembers = [], task: String = CeleryMessage.defaultTask, queue: String = "enhancement:queue",
        _ change: (inout Request) -> Void = { _ in }
    ) throws -> (text: String, outcome: Outcome) {
        var desk = Desk(encoder: JobEncoder(.celery, members: members, task: task, queue: queue))
        let result = desk.handle(Request(change))
        return (try #require(result.jobs.first), result)
    }

    @Test func `a message has every header and property that Celery's own client sends`() throws {
        let (text, result) = try message()
        let id = result.exchange.jobID.text
        let correlation = result.exchange.ticket.correlationID.text
        let job =
            #"{\"job_id\":\"\#(id)\",\"ticket_id\":\"TCK-1042\",\"tenant_id\":\"acme\","#
            + #"\"description\":\"Printer \\u00e9 😀\",\"priority\":\"high\",\"timestamp\":\"2026-11-24T10:29:24+01:00\","#
            + #"\"created_at\":\"2026-11-24T10:30:00.000001Z\",\"correlation_id\":\"\#(correlation)\"}"#
        let body = #"[[\#(job)],{},{\"callbacks\":null,\"errbacks\":null,\"chain\":null,\"chord\":null}]"#
        let headers =
            #"{"lang":"py","task":"tasks.enhance_ticket","id":"\#(id)","shadow":null,"eta":null,"expires":null,"#
            + #""group":null,"group_index":null,"retries":0,"timelimit":[null,null],"root_id":"\#(id)","#
            + #""parent_id":null,"argsrepr":"({'job_id': '\#(id)'},)","kwargsrepr":"{}","#
            + #""origin":"servicedesk-responder","ignore_result":false,"replaced_task_nesting":0,"#
            + #""stamped_headers":null,"stamps":{}}"#
        let properties =
            #"{"correlation_id":"\#(id)","reply_to":null,"delivery_mode":2,"#
            + #""delivery_info":{"exchange":"","routing_key":"enhancement:queue"},"priority":0,"delivery_tag":"\#(id)"}"#
        #expect(
            text == #"{"body":"\#(body)","content-encoding":"utf-8","content-type":"application/json","#
                + #""headers":\#(headers),"properties":\#(properties)}"#)
        #expect(isJSONObject(text[...]))
    }

    @Test func `event and delivery id are members of the job and headers, trace context is a header`() throws {
        let members = try #require(JobMembers("event,delivery_id,traceparent"))
        let (text, result) = try message(members: members) {
            $0.others = [
                ("HTTP_WEBHOOK_ID", #"a"b\c"#), ("HTTP_TRACEPARENT", traceParent),
                ("HTTP_TRACESTATE", #"congo="x""#),
            ]
        }
        #expect(text.contains(#"\",\"event\":\"ticket_created\",\"delivery_id\":\"a\\\"b\\\\c\"}],{},"#))
        let parent = "00-0af7651916cd43dd8448eb211c80319c-\(result.exchange.trace.spanID.text)-01"
        #expect(
            text.contains(
                #""stamps":{},"event":"ticket_created","delivery_id":"a\"b\\c","traceparent":"\#(parent)","#
                    + #""tracestate":"congo=\"x\""},"properties""#))
        #expect(text.components(of: "traceparent") == 1)
    }

    @Test func `task and queue are those of the settings, escaped as JSON`() throws {
        let text = try message(task: "app.v2.Enhance_1", queue: #"q"\é"#).text
        #expect(text.contains(#""task":"app.v2.Enhance_1","#))
        #expect(text.contains(#""routing_key":"q\"\\é"}"#))
        #expect(isJSONObject(text[...]))
    }

    @Test(arguments: [
        #"\"\\\/\b\f\n\r\t"#, #"\u00e9\ud83d\ude00\u0001"#, "é😀 \u{2028}\u{7F}", #"</script>\u003c"#, #"\\\\"#,
    ])
    func `a description survives being JSON within JSON`(content: String) throws {
        let text = try message { $0.body = Payload().with("description", "\"\(content)\"").bytes }.text
        let escaped = content.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
            .split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"")
        #expect(text.contains(#"\"description\":\"\#(escaped)\",\"priority\""#))
        #expect(isJSONObject(text[...]))
    }

    @Test func `no ticket text stands outside the body`() throws {
        let text = try message { $0.body = Payload().with("description", #""cuckoo""#).bytes }.text
        #expect(text.components(of: "cuckoo") == 1)
        #expect(
            try #require(text.range(of: "cuckoo")).lowerBound < #require(text.range(of: "content-encoding")).lowerBound)
    }

    @Test(arguments: [
        ("tasks.enhance_ticket", true), ("a", true), ("A.b_9", true), (String(repeating: "x", count: 200), true),
        ("", false), (String(repeating: "x", count: 201), false), ("a b", false), ("a-b", false), ("é", false),
        ("a\"", false),
    ])
    func `a task's name has 1 to 200 letters, digits, underscores and dots`(name: String, isAccepted: Bool) {
        #expect(CeleryMessage.isTaskName(name) == isAccepted)
    }

    @Test func `the format of a message is found by its members`() throws {
        let plain = try #require(outcome().jobs.first)
        let celery = try message().text
        #expect(JobFormat(of: utf8(plain).span) == .plain && JobFormat(of: utf8(celery).span) == .celery)
        // As kombu itself writes it.
        let kombu =
            #"{"body": "W1tdXQ==", "content-encoding": "utf-8", "content-type": "application/json", "headers": {}}"#
        #expect(JobFormat(of: utf8(kombu).span) == .celery)
        for other in ["", "x", "{}", "[]", #"["job_id"]"#, #"{"job":{"job_id":"1"}}"#, #"{"job_id":1}"#, #"{"job_id""#]
        {
            #expect(JobFormat(of: utf8(other).span) == nil)
        }
    }
}

extension String {
    /// How often another string occurs.
    fileprivate func components(of other: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.range(of: other) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}

extension StringProtocol {
    fileprivate func range(of other: String) -> Range<Index>? {
        indices.first { self[$0...].hasPrefix(other) }.map { $0..<index($0, offsetBy: other.count) }
    }
}
