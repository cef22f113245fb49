import TestSupport
import Testing
import Webhook

struct AnswerTests {
    /// The body of a response; checks that its Content-Length is right.
    private func body(_ answer: String) throws -> Substring {
        let bytes = utf8(answer)
        let end = try #require((0..<bytes.count - 3).first { bytes[$0..<$0 + 4].elementsEqual(utf8("\r\n\r\n")) })
        let body = bytes[(end + 4)...]
        #expect(Array(bytes[..<end]).text.contains("\r\nContent-Length: \(body.count)\r\n"))
        return Array(body).text[...]
    }

    /// The response to a valid request, for any reason.
    private func answer(_ reason: Reason, route: String = "/webhook/servicedesk", retryAfter: Int = 2) -> String {
        let exchange = outcome { $0.script = route }.exchange
        var bytes: [UInt8] = []
        exchange.appendAnswer(reason, retryAfter: retryAfter, to: &bytes)
        return bytes.text
    }

    @Test func `the response to an accepted ticket is exact to the byte`() throws {
        let result = outcome()
        let id = result.exchange.jobID.text
        let expected =
            "Status: 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 117\r\nX-Request-ID: 0123456789abcdef\r\n\r\n"
            + #"{"status":"accepted","job_id":"\#(id)","message":"Enhancement job queued successfully"}"#
        #expect(result.answer == expected)
        #expect(id.count == 36)
        #expect(isJSONObject(try body(result.answer)))
    }

    @Test func `the response to a repeated delivery has the first job's id`() throws {
        var exchange = outcome().exchange
        exchange.repeats(utf8("00000000-0000-4000-8000-000000000000"))
        var bytes: [UInt8] = []
        exchange.appendAnswer(.repeated, retryAfter: 2, to: &bytes)
        #expect(bytes.text.hasPrefix("Status: 202 Accepted\r\nContent-Type: application/json\r\n"))
        let expected =
            #"{"status":"accepted","job_id":"00000000-0000-4000-8000-000000000000","#
            + #""message":"Enhancement job queued successfully"}"#
        #expect(try body(bytes.text) == expected)
    }

    private func problem(_ status: String, _ detail: String, fields: String = "", errors: String = "") -> String {
        let words = status.split(separator: " ", maxSplits: 1)
        let body =
            #"{"type":"about:blank","title":"\#(words[1])","status":\#(words[0]),"detail":"\#(detail)"\#(errors),"#
            + #""request_id":"0123456789abcdef"}"#
        return "Status: \(status)\r\nContent-Type: application/problem+json\r\nContent-Length: \(body.utf8.count)\r\n"
            + "X-Request-ID: 0123456789abcdef\r\n\(fields)\r\n\(body)"
    }

    @Test func `refusals are exact to the byte`() {
        #expect(outcome { $0.signature = "" }.answer == problem("401 Unauthorized", "Missing signature header"))
        #expect(outcome { $0.signature = "x" }.answer == problem("401 Unauthorized", "Invalid webhook signature"))
        #expect(outcome { $0.script = "/x" }.answer == problem("404 Not Found", "No such resource"))
        #expect(
            outcome { $0.length = "131073" }.answer == problem("413 Content Too Large", "Webhook payload too large"))
        let media = problem("415 Unsupported Media Type", "Content type must be application/json in UTF-8")
        #expect(outcome { $0.contentType = "text/plain" }.answer == media)
        let conflict = problem("422 Unprocessable Content", "Delivery id was used for another payload")
        #expect(answer(.deliveryConflict) == conflict)
    }

    @Test func `405 lists the allowed methods`() {
        let webhook = problem("405 Method Not Allowed", "Method not allowed", fields: "Allow: POST\r\n")
        let others = problem("405 Method Not Allowed", "Method not allowed", fields: "Allow: GET, HEAD\r\n")
        #expect(outcome { $0.method = "GET" }.answer == webhook)
        for path in ["/metrics", "/health/live", "/health/ready"] {
            #expect(outcome { $0.script = path }.answer == others)
        }
    }

    /// RFC 3875, section 4.3.3; the length is what GET would get (RFC 9110, section 9.3.2).
    @Test func `HEAD gets the header and no body`() {
        let get = outcome {
            $0.script = "/x"
            $0.method = "GET"
        }.answer
        let head = outcome {
            $0.script = "/x"
            $0.method = "HEAD"
        }.answer
        #expect(get.hasPrefix(head) && head.hasSuffix("\r\n\r\n") && get.count > head.count)
        let live = outcome {
            $0.script = "/health/live"
            $0.method = "HEAD"
        }.exchange
        var response: [UInt8] = []
        live.appendAnswer(.ok, type: "application/json", body: utf8("{}"), to: &response)
        #expect(response.text.contains("Content-Length: 2\r\n") && response.text.hasSuffix("\r\n\r\n"))
    }

    @Test func `400 lists the errors of the payload`() {
        let one = #","errors":[{"field":"priority","message":"must be one of low, medium, high, critical"}]"#
        let body = Payload().with("priority", #""urgent""#).bytes
        #expect(outcome { $0.body = body }.answer == problem("400 Bad Request", "Invalid webhook payload", errors: one))
        let two =
            #","errors":[{"field":"event","message":"is required"},"#
            + #"{"field":"a\"\\\n\u0001é😀","message":"is not a known field"}]"#
        let other = Payload().without("event").adding(#"a\"\\\n\u0001\u00e9😀"#, "1").bytes
        #expect(
            outcome { $0.body = other }.answer == problem("400 Bad Request", "Invalid webhook payload", errors: two))
        let json = #","errors":[{"field":"(body)","message":"unexpected end of input at byte offset 1"}]"#
        #expect(
            outcome { $0.body = utf8("{") }.answer
                == problem("400 Bad Request", "Invalid webhook payload", errors: json))
    }

    @Test func `a queue failure is a 503 with Retry-After`() {
        for reason in Reason.allCases where reason.isQueueFailure {
            let expected = problem(
                "503 Service Unavailable", "Queue unavailable, please retry", fields: "Retry-After: 2\r\n")
            #expect(answer(reason) == expected)
        }
        #expect(answer(.overloaded, retryAfter: 30).contains("\r\nRetry-After: 30\r\n"))
        #expect(answer(.notReady, route: "/health/ready").contains(#""detail":"Queue not usable""#))
    }

    @Test func `only a 400 lists errors`() {
        for reason in Reason.allCases where reason.status != 400 { #expect(!answer(reason).contains("errors")) }
    }

    @Test func `every response is JSON and has the request id`() throws {
        for reason in Reason.allCases where reason != .ok {
            let answer = answer(reason)
            #expect(isJSONObject(try body(answer)), "\(reason)")
            #expect(answer.hasPrefix("Status: \(reason.status) \(reason.title)\r\n"))
            #expect(answer.contains("\r\nX-Request-ID: 0123456789abcdef\r\n"))
        }
    }

    @Test(arguments: ["a\"b", "a\\b", #""},{"x":"y"#, "<>&'"])
    func `special characters in a request id break neither header nor JSON`(id: String) throws {
        let answer = outcome {
            $0.requestID = id
            $0.signature = ""
        }.answer
        #expect(answer.contains("\r\nX-Request-ID: \(id)\r\n"))
        #expect(isJSONObject(try body(answer)))
    }

    @Test func `no response repeats a value of the request, a signature or a secret`() {
        let marked = ["event", "ticket_id", "tenant_id", "description", "priority", "created_at", "correlation_id"]
            .reduce(Payload()) { $0.with($1, #""Leaked\u0000!""#) }.adding("unknown", #"{"Leaked":"Leaked"}"#)
        let answers = [
            outcome { $0.body = marked.bytes },
            outcome {
                $0.body = marked.bytes
                $0.signature = "Leaked"
            },
            outcome { $0.body = utf8(#"{"event":"Leaked"#) }, outcome { $0.contentType = "Leaked" },
            outcome { $0.script = "/Leaked" },
            outcome { $0.method = "Leaked" }, outcome { $0.others = [("HTTP_WEBHOOK_ID", "Leaked é")] },
        ].map(\.answer)
        for answer in answers {
            #expect(!answer.isEmpty && !answer.contains("Leaked") && !answer.contains(secret.text))
            #expect(!answer.contains(sign(marked.bytes)))
        }
    }

    @Test func `a metrics response has its own type and body`() throws {
        let exchange = outcome {
            $0.script = "/metrics"
            $0.method = "GET"
        }.exchange
        var bytes: [UInt8] = []
        exchange.appendAnswer(.ok, type: "text/plain; version=0.0.4", body: utf8("up 1\n"), to: &bytes)
        let expected =
            "Status: 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: 5\r\n"
            + "X-Request-ID: 0123456789abcdef\r\n\r\nup 1\n"
        #expect(bytes.text == expected)
    }

    @Test func `every reason has a label of its own`() {
        #expect(Set(Reason.allCases.map { "\($0.label)" }).count == Reason.allCases.count)
        for reason in Reason.allCases {
            #expect("\(reason.label)".allSatisfy { $0 == "_" || ("a"..."z").contains($0) })
        }
    }
}
