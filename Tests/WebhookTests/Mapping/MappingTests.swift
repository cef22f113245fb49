import TestSupport
import Testing

@testable import Webhook

/// How profiles of the tenants file map payloads.
struct MappingTests {
    private static let fields = #"""
        "event":{"value":"changed"},"ticket_id":{"path":["n","m.n"],"prefix":"SDP-"},
        "description":{"path":"text","too_long":"cut"},"priority":{"path":"p","map":{"5 - Standard":"low","P1":"critical"," Élevée ":"high"}},
        "created_at":{"path":"at","time":"epoch_milliseconds"},"correlation_id":{"path":"c"}
        """#
    private static let own = #"[{"id":"own","fields":{\#(fields)}}]"#
    private static let template = #"[{"id":"own","keys":["n","m.n","text","p","at","c"],"fields":{\#(fields)}}]"#

    private func result(_ body: String, profiles: String = own) -> String {
        var desk = ProfileDesk("own", profiles: profiles)
        return desk.result(of: body)
    }

    /// A payload with some members in place of its own, and without some.
    private func body(_ changes: [String: String] = [:], without absent: Set<String> = []) -> String {
        let own = [("n", "7"), ("text", #""t""#), ("p", #""p1""#), ("at", "1000")]
        let members = own.filter { changes[$0.0] == nil && !absent.contains($0.0) } + changes.sorted { $0.key < $1.key }
        return "{\(members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ","))}"
    }

    @Test(arguments: [
        (#""8""#, "SDP-8"), ("8", "SDP-8"), (#""  8 \n""#, "SDP-8"), (#""INC-8""#, "INC-8"),
        ("123456789012345678901", "SDP-123456789012345678901"),
    ])
    func `an id that is a bare number gets the prefix`(value: String, id: String) {
        #expect(result(body(["n": value])) == "acme \(id) critical 1970-01-01T00:00:01.000000Z t")
    }

    @Test(arguments: ["8.0", "8.5e1", "8e1", #""a""#, #""8 9""#])
    func `an id that the ticket's rule refuses is told with its path`(value: String) {
        #expect(
            result(body(["n": value]))
                == "invalid_fields: ticket_id: must be a string of 1 to 100 of A-Z, 0-9 and - (from n)")
    }

    @Test func `of several paths only one may be present`() {
        #expect(result(body(["m": #"{"n":"9"}"#])) == "invalid_fields: ticket_id: only one of n and m.n may be present")
        #expect(result(body(["m": #"{"n":"9"}"#], without: ["n"])).hasPrefix("acme SDP-9 "))
        // Null counts as absent, at the path and before it; an empty text does not.
        #expect(result(body(["n": "null", "m": #"{"n":"9"}"#])).hasPrefix("acme SDP-9 "))
        #expect(result(body(["m": "null"])).hasPrefix("acme SDP-7 "))
        #expect(result(body(["n": #""""#, "m": #"{"n":"9"}"#])).hasPrefix("invalid_fields"))
        #expect(result(body(["m": #""x""#])) == "invalid_fields: ticket_id: only one of n and m.n may be present")
        #expect(
            result(body(["m": #""x""#], without: ["n"])) == "invalid_fields: ticket_id: m must be an object (from m.n)"
        )
    }

    @Test(arguments: [
        (#"{"p":"P1"}"#, "critical"), (#"{"p":{"name":"P1"}}"#, "critical"), (#"{"p":{}}"#, "is required"),
        (#"{"p":{"name":{"text":"P1"}}}"#, "critical"), (#"{"p":null}"#, "is required"),
        (#"{"p":["P1"]}"#, "must be a string or a number (from p)"),
        (#"{"p":{"name":["P1"]}}"#, "must be a string or a number (from p.name)"),
        (#"{"q":"P1","p":"P1"}"#, "only one of p and q"),
        (#"{"q":"P1","p":{"name":"P1"}}"#, "only one of p.name and q"),
    ])
    func `a value may be at a path or within an object there`(members: String, expected: String) {
        let profiles = Self.own.replacing(#""path":"p""#, with: #""path":["p","p.name","p.name.text","q"]"#)
        let text = result(body(without: ["p"]).dropLast() + "," + members.dropFirst(), profiles: profiles)
        #expect(
            text.hasPrefix("acme SDP-7 \(expected) ") || text.hasPrefix("invalid_fields: priority: \(expected)"),
            "\(text)")
    }

    @Test(arguments: [
        (#""P1""#, "critical"), (#""p1""#, "critical"), (#"" 5 - standard ""#, "low"),
        (#""P1\u00a0""#, "critical"), ("\"\u{3000}P1\u{2003}\"", "critical"), (#""ÉLEVÉE""#, "high"),
        (#""E\u0301leve\u0301e""#, "high"),
    ])
    func `a priority is looked up in the table, in any case`(value: String, priority: String) {
        #expect(result(body(["p": value])).hasPrefix("acme SDP-7 \(priority) "))
    }

    @Test(arguments: [#""high""#, "1", #""""#, "null"])
    func `a priority that is not in a table without a default is a fault`(value: String) {
        let text = result(body(["p": value]))
        let isNone = value == "null" || value == #""""#
        let expected =
            isNone
            ? "is required, and must not be null or empty (from p)" : "must be one of 5 - Standard, P1, Élevée (from p)"
        #expect(text == "invalid_fields: priority: \(expected)")
    }

    @Test(arguments: [
        ("0", "1970-01-01T00:00:00.000000Z"), (#""1""#, "1970-01-01T00:00:00.001000Z"),
        ("253402300799999", "9999-12-31T23:59:59.999000Z"),
    ])
    func `milliseconds since 1970 become a date-time`(value: String, time: String) {
        #expect(result(body(["at": value])) == "acme SDP-7 critical \(time) t")
    }

    @Test(arguments: [
        "-1", "1.5", "1e3", "253402300800000", "9223372036854775807", "1000000000000000000000", #""now""#,
        #""2026-01-01T00:00:00Z""#,
    ])
    func `another time is a fault`(value: String) {
        #expect(result(body(["at": value])) == "invalid_fields: created_at: must be milliseconds since 1970 (from at)")
    }

    @Test func `a text that is too long is cut with a mark, or refused`() {
        let long = String(repeating: "é", count: 10_001)
        let cut = result(body(["text": "\"\(long)\""]))
        #expect(cut.hasSuffix("é\n[cut: 10001 characters]"))
        let description = cut.dropFirst("acme SDP-7 critical 1970-01-01T00:00:01.000000Z ".count)
        #expect(description.unicodeScalars.count == 10_000)
        let whole = String(long.dropFirst())
        #expect(result(body(["text": "\"\(whole)\""])).hasSuffix(" \(whole)"))
        let refusing = Self.own.replacing("cut", with: "refuse")
        #expect(
            result(body(["text": "\"\(long)\""]), profiles: refusing)
                == "invalid_fields: description: must be a string of 1 to 10,000 characters without U+0000 (from text)")
    }

    @Test func `a text keeps its characters`() {
        #expect(
            result(body(["text": #""a \"b\" \\ \u00e9 \ud83d\ude00 \u0001 <b>""#])).hasSuffix(
                " a \"b\" \\ é 😀 \u{1} <b>"))
        #expect(
            result(body(["text": #""a\u0000b""#]))
                == "invalid_fields: description: must be a string of 1 to 10,000 characters without U+0000 (from text)")
    }

    @Test func `an optional field may be absent, but not wrong`() {
        #expect(result(body(["c": "null"])).hasPrefix("acme "))
        #expect(
            result(body(["c": "7"])) == "invalid_fields: correlation_id: must be a UUID of version 4, or null (from c)")
        #expect(result(body(["c": "[]"])) == "invalid_fields: correlation_id: must be a string or a number (from c)")
    }

    @Test func `all faults are told at once, in the order of the fields`() {
        #expect(
            result(#"{"n":[],"p":"x","at":"y"}"#)
                == "invalid_fields: ticket_id: must be a string or a number (from n); description: is required, and must not be null or empty (from text); priority: must be one of 5 - Standard, P1, Élevée (from p); created_at: must be milliseconds since 1970 (from at)"
        )
    }

    @Test func `keys that are not used are ignored, but none occurs twice`() {
        #expect(result(body(["x": "{\"n\":1}"])).hasPrefix("acme "))
        #expect(result(#"{"n":"1","n":"2"}"#).hasPrefix("invalid_json: (body): duplicate key at byte offset 10: "))
        #expect(result(#"{"x":{"y":1,"y":2}}"#).hasPrefix("invalid_json: (body): duplicate key at byte offset 13: "))
    }

    @Test func `a tenant that the payload names is not looked at`() {
        #expect(result(body(["tenant_id": #""globex""#])).hasPrefix("acme "))
    }

    // MARK: Templates

    @Test func `each key of a template occurs, and no other`() {
        let whole = #"{"n":null,"m":{"n":"9"},"text":"t","p":"P1","at":"1000","c":null}"#
        #expect(result(whole, profiles: Self.template) == "acme SDP-9 critical 1970-01-01T00:00:01.000000Z t")
        #expect(
            result(whole.replacing(#""c":null"#, with: #""d":1"#), profiles: Self.template)
                == "invalid_fields: c: is required, for correlation_id; d: is not a key of the template")
        #expect(
            result(whole.replacing(#"{"n":"9"}"#, with: #"{"n":"9","z":1}"#), profiles: Self.template)
                == "invalid_fields: m.z: is not a key of the template")
        #expect(
            result(whole.replacing(#"{"n":"9"}"#, with: "9"), profiles: Self.template)
                == "invalid_fields: m.n: is required, for ticket_id")
        #expect(
            result(whole.replacing(#""t""#, with: "{}"), profiles: Self.template)
                == "invalid_fields: text: must be a string or a number, for description")
    }

    @Test func `a value that breaks out of an unescaped template is a 400`() {
        let whole = #"{"n":null,"m":{"n":"9"},"text":"SUBJECT","p":"5 - Standard","at":"1000","c":null}"#
        for injection in [
            #"x","p":"P1","z":""#, #"x","p":"P1"#, #"x"},"p":"P1","z":{"a":""#, #"x","z":""#,
            #"x","m":{"n":"1"},"z":""#,
        ] {
            let text = result(whole.replacing("SUBJECT", with: injection), profiles: Self.template)
            #expect(text.hasPrefix("invalid_"), "\(injection): \(text)")
        }
    }

    @Test func `a variable that a template did not replace is a fault`() {
        let whole =
            #"{"n":"${id}","m":{"n":null},"text":"cost: ${5}","p":"${{request.priority.name}}","at":"1000","c":null}"#
        #expect(
            result(whole, profiles: Self.template)
                == "invalid_fields: ticket_id: is a variable that the help desk has not replaced (from n); priority: is a variable that the help desk has not replaced (from p)"
        )
    }

    // MARK: The tenant

    @Test func `the tenant is found by the sender's table, in a template too`() {
        let route = #""tenant_from":{"path":"c","tenants":{"G & Co":"globex"}}"#
        var desk = ProfileDesk(
            "own", profiles: Self.own.replacing(#","correlation_id":{"path":"c"}"#, with: ""), route: route)
        #expect(desk.result(of: body(["c": #""G & Co""#])).hasPrefix("globex SDP-7 "))
        #expect(desk.result(of: body(["c": #""H""#])) == "invalid_signature: ")
        #expect(
            desk.result(of: #"{"c":"a "b""}"#).hasPrefix("invalid_json: (body): unexpected byte at byte offset 9: "))
        let form = "payload=%7B%22n%22:1,%22text%22:%22a+b%26c%22,%22p%22:%22P1%22,%22at%22:5,%22c%22:%22G+%26+Co%22%7D"
        #expect(
            desk.result(of: form, type: "application/x-www-form-urlencoded")
                == "globex SDP-1 critical 1970-01-01T00:00:00.005000Z a b&c")
    }

    @Test func `a value that breaks out of a template cannot choose another tenant`() {
        let profiles = Self.template.replacing(#""keys":["#, with: #""keys":["m.t","#)
        let route = #""tenant_from":{"path":"m.t","tenants":{"G":"globex","A":"acme"}}"#
        var desk = ProfileDesk("own", profiles: profiles, route: route)
        let body = #"{"n":null,"m":{"n":"SUBJECT","t":"A"},"text":"t","p":"P1","at":"1000","c":null}"#
        #expect(desk.result(of: body.replacing("SUBJECT", with: "9")).hasPrefix("acme SDP-9 "))
        for injection in [
            #"9","t":"G"#, #"9","t":"G","z":""#, #"9","t":"G"},"z":{"t":""#, #"9","t":"G"},"m":{"n":"9"#, #"9\"#,
            #"9","\u0074":"G"#,
        ] {
            let text = desk.result(of: body.replacing("SUBJECT", with: injection))
            #expect(text.hasPrefix("invalid_"), "\(injection): \(text)")
        }
    }

    @Test func `created_at may not be older than the setting allows, wherever it came from`() {
        var desk = ProfileDesk("own", profiles: Self.own, maxAge: 60)
        #expect(desk.result(of: body()) == "stale_ticket: created_at: must be within 60 seconds of now")
    }

    // MARK: Forms

    @Test(arguments: [
        ("payload=%7B%7D", "invalid_fields"), ("x=1&data=%7b%7d&y", "invalid_fields"),
        ("input_data={}", "invalid_fields"),
        ("", "must have one of the parameters payload, input_data, data"),
        ("Payload={}", "must have one of the parameters payload, input_data, data"),
        ("payload={}&data={}", "must have exactly one of the parameters payload, input_data, data, once"),
        ("payload={}&payload={}", "must have exactly one of the parameters payload, input_data, data, once"),
        ("payload=%7", "invalid percent-encoding at byte offset 8"),
        ("payload=%zz", "invalid percent-encoding at byte offset 8"),
        ("payload", "unexpected end of input at byte offset 0 of the form's decoded payload"),
        (
            "payload=%7B%22n%22%3A%22a%0Ab%22%7D",
            "raw control character in a string at byte offset 7 of the form's decoded payload: a value has a line break in it"
        ),
    ])
    func `a form has its JSON in one parameter`(body: String, expected: String) {
        var desk = ProfileDesk("own", profiles: Self.own)
        #expect(desk.result(of: body, type: "application/x-www-form-urlencoded; charset=UTF-8").contains(expected))
    }

    @Test func `a template's form has no other parameter, and a sender without a profile takes no form`() {
        var desk = ProfileDesk("own", profiles: Self.template)
        #expect(
            desk.result(of: "payload={}&x=1", type: "application/x-www-form-urlencoded")
                == "invalid_json: (body): must have no parameter other than one of payload, input_data, data")
        var plain = Desk()
        let form = plain.handle(Request { $0.contentType = "application/x-www-form-urlencoded" })
        #expect(form.disposition == .answer(.unsupportedMediaType))
        #expect(desk.result(of: "{}", type: "text/plain") == "unsupported_media_type: ")
    }

    @Test func `the delivery's digest is that of the body as it was sent`() {
        var desk = ProfileDesk("own", profiles: Self.own)
        let outcome = desk.post(body(), others: [("HTTP_WEBHOOK_ID", "d-1")])
        let delivery = outcome.queue.pushes[0].delivery
        let sent = utf8(body())
        #expect(delivery.map { bytes(of: $0.digest) } == bytes(of: digest(of: sent.span)))
    }

    // MARK: Broken templates

    @Test(arguments: [
        (#"{"n":"a "b" c"}"#, 9, "a value has a quotation mark in it"), ("{\"n\":\"a\nb\"}", 7, "a line break"),
        ("{\"n\":\"a\tb\"}", 7, "a tab"), (#"{"n":"C:\temp\q"}"#, 13, "a backslash"),
        (#"{"n":${id}}"#, 5, "quotation marks"),
        (#"{"n":1,}"#, 7, "remove the comma"), (#"{'n':1}"#, 1, "double quotation marks"),
        (#"{"n":,"m":1}"#, 5, "is missing"),
        (#"{"n":"a"#, 7, "at its end"), (#"{"n":"a"}"}"#, 9, "quotation mark"),
        (#"{"n":007}"#, 5, "into quotation marks"),
        ("\u{FEFF}{}", 0, "byte-order mark"), (" \n", 2, "the body is empty"), ("", 0, "the body is empty"),
        ("payload={}", 0, "begins with a brace"), (" [{}]", 1, "begins with a brace"),
        ("'{}'", 0, "begins with a brace"),
    ])
    func `JSON that a template broke is refused with the position and what to do`(
        body: String, offset: Int, advice: String
    ) {
        let text = result(body)
        #expect(text.hasPrefix("invalid_json: (body): ") && text.contains("at byte offset \(offset)"), "\(text)")
        #expect(text.contains(advice), "\(text)")
    }
}
