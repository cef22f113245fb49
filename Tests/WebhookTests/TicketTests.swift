import JSON
import TestSupport
import Testing
import Webhook

/// The rules of the payload, field by field.
struct TicketTests {
    private static let rules = [
        "event": "must be a string of 1 to 100 characters",
        "ticket_id": "must be a string of 1 to 100 of A-Z, 0-9 and -",
        "tenant_id": "must be a string of 1 to 100 of a-z, 0-9 and -",
        "description": "must be a string of 1 to 10,000 characters without U+0000",
        "priority": "must be one of low, medium, high, critical",
        "created_at": "must be an RFC 3339 date-time with an offset, in the years 1 to 9999 of UTC",
        "correlation_id": "must be a UUID of version 4, or null",
    ]

    private func verdict(_ field: String, _ value: String) -> [String] { rows(Payload().with(field, value).bytes) }
    private func fault(_ field: String) -> [String] { ["\(field): \(TicketTests.rules[field]!)"] }
    private static func quoted(_ character: String, _ count: Int) -> String {
        "\"" + String(repeating: character, count: count) + "\""
    }

    @Test func `a valid payload is read into the ticket`() {
        let body = Payload().with("correlation_id", #""A1B2C3D4-E5F6-4789-ABCD-0123456789ef""#).bytes
        var ticket = Ticket()
        #expect(read(body, into: &ticket) == nil)
        #expect(ticket.ticketID.text == "TCK-1042" && ticket.tenantID.text == "acme" && ticket.priority == .high)
        #expect(ticket.createdAt.text == "2026-11-24T10:29:24+01:00")
        #expect(ticket.correlationID.text == "A1B2C3D4-E5F6-4789-ABCD-0123456789ef")
        #expect(Array(body[ticket.description]).text == #"Printer \u00e9 😀"#)
    }

    @Test(arguments: [
        ("event", quoted("a", 1)), ("event", quoted("a", 100)), ("event", quoted("😀", 100)),
        ("event", quoted(#"\ud83d\ude00"#, 100)), ("event", quoted(#"\n"#, 100)), ("event", #""\u0000""#),
        ("event", #"" ""#),
        ("ticket_id", quoted("A", 100)), ("ticket_id", #""AZ-09-""#), ("ticket_id", #""-""#),
        ("ticket_id", #""\u0041\u002d1""#),
        ("tenant_id", quoted("z", 100)), ("tenant_id", #""az-09-""#), ("tenant_id", #""\u0061""#),
        ("description", quoted("x", 1)),
        ("description", #""\u0001\t\"\\\/ \u00e9""#), ("description", quoted(#"\\u0000"#, 3)),
        ("priority", #""low""#), ("priority", #""medium""#), ("priority", #""high""#), ("priority", #""critical""#),
        ("priority", #""\u006cow""#), ("created_at", #""2024-02-29t23:59:59.5z""#),
        ("created_at", #""2026\u002d11-24T10:29:24Z""#),
        ("correlation_id", "null"), ("correlation_id", #""00000000-0000-4000-8000-000000000000""#),
        ("correlation_id", #""ffffffff-ffff-4fff-bfff-ffffffffffff""#),
        ("correlation_id", #""FFFFFFFF-FFFF-4FFF-9FFF-FFFFFFFFFFFF""#),
        ("correlation_id", #""abcdefAB-0123-4567-a89b-abcdefABCDEF""#),
        ("correlation_id", #""\u00300000000-0000-4000-A000-000000000000""#),
    ])
    func `a value at the edge of its field's rule is accepted`(field: String, value: String) {
        #expect(verdict(field, value).isEmpty)
    }

    @Test(arguments: [
        ("event", #""""#), ("event", quoted("a", 101)), ("event", quoted("😀", 101)),
        ("event", quoted(#"\ud83d\ude00"#, 101)),
        ("event", quoted("e\u{301}", 51)), ("ticket_id", #""""#), ("ticket_id", quoted("A", 101)),
        ("ticket_id", #""tck-1""#),
        ("ticket_id", #""TCK_1""#), ("ticket_id", #""TCK 1""#), ("ticket_id", #""TCK-1\n""#),
        ("ticket_id", #""TCK–1""#),
        ("ticket_id", #""É""#), ("ticket_id", #""@""#), ("ticket_id", #""[""#), ("ticket_id", #""/""#),
        ("ticket_id", #"":""#),
        ("ticket_id", #""\u0000""#), ("ticket_id", #""A\u0061""#), ("ticket_id", #""١""#), ("tenant_id", #""""#),
        ("tenant_id", quoted("a", 101)), ("tenant_id", #""Acme""#), ("tenant_id", #""acme_1""#),
        ("tenant_id", #""acme.com""#),
        ("tenant_id", #""`""#), ("tenant_id", #""{""#), ("tenant_id", #""a\u0000""#), ("description", #""""#),
        ("description", #""\u0000""#),
        ("description", #""a\u0000b""#),
        ("priority", #""""#), ("priority", #""Low""#), ("priority", #""HIGH""#), ("priority", #""urgent""#),
        ("priority", #"" low""#),
        ("priority", #""low ""#), ("priority", #""lo""#), ("priority", #""lows""#), ("priority", #""criticall""#),
        ("created_at", #""2026-11-24""#), ("created_at", #""2026-11-24T10:29:24""#),
        ("created_at", #""2026-02-29T10:29:24Z""#),
        ("created_at", #""""#), ("created_at", quoted("1", 67)), ("created_at", "1764000000"),
        ("correlation_id", #""""#), ("correlation_id", #""00000000-0000-1000-8000-000000000000""#),
        ("correlation_id", #""00000000-0000-5000-8000-000000000000""#),
        ("correlation_id", #""00000000-0000-4000-7000-000000000000""#),
        ("correlation_id", #""00000000-0000-4000-c000-000000000000""#),
        ("correlation_id", #""00000000-0000-4000-8000-00000000000g""#),
        ("correlation_id", #""00000000-0000-4000-8000-00000000000""#),
        ("correlation_id", #""00000000-0000-4000-8000-0000000000000""#),
        ("correlation_id", #""{00000000-0000-4000-8000-000000000000}""#),
        ("correlation_id", #""0000000000004000800000000000000000000""#),
        ("correlation_id", #""000000000000-4000-8000-0000-00000000""#),
        ("correlation_id", #""urn:uuid:00000000-0000-4000-8000-00000""#),
    ])
    func `a value that breaks its field's rule is refused`(field: String, value: String) {
        #expect(verdict(field, value) == fault(field))
    }

    @Test(arguments: ["x", "é", "😀", #"\ud83d\ude00"#, #"\n"#])
    func `a description has at most 10,000 characters`(character: String) {
        #expect(verdict("description", TicketTests.quoted(character, 10_000)).isEmpty)
        #expect(verdict("description", TicketTests.quoted(character, 10_001)) == fault("description"))
    }

    @Test(arguments: ["1", "-1.5e3", "true", "false", "null", "[]", #"["low"]"#, "{}", #"{"a":"low"}"#])
    func `a value that is not a string is refused`(value: String) {
        for field in TicketTests.rules.keys where value != "null" || field != "correlation_id" {
            #expect(verdict(field, value) == fault(field))
        }
    }

    @Test func `a missing field is reported if it is required`() {
        for field in TicketTests.rules.keys where field != "correlation_id" {
            #expect(rows(Payload().without(field).bytes) == ["\(field): is required"])
        }
        #expect(rows(Payload().with("correlation_id", "null").without("correlation_id").bytes).isEmpty)
    }

    // MARK: Together

    @Test func `all faults are reported at once, in the order of the fields`() {
        #expect(
            rows(utf8("{}")) == [
                "event: is required", "ticket_id: is required", "tenant_id: is required", "description: is required",
                "priority: is required", "created_at: is required",
            ])
        let body =
            #"{"zeta":1,"created_at":"x","priority":1,"priority":2,"correlation_id":"y","tenant_id":"ok","event":"","alpha":[]}"#
        #expect(
            rows(utf8(body)) == [
                "event: must be a string of 1 to 100 characters", "ticket_id: is required", "description: is required",
                "priority: occurs more than once",
                "created_at: must be an RFC 3339 date-time with an offset, in the years 1 to 9999 of UTC",
                "correlation_id: must be a UUID of version 4, or null", "zeta: is not a known field",
                "alpha: is not a known field",
            ])
    }

    @Test func `members may come in any order, with any white space`() {
        var payload = Payload()
        for member in Payload().members.reversed() {
            payload = payload.without(member.key).adding(member.key, member.value)
        }
        #expect(rows(payload.bytes).isEmpty)
        #expect(
            rows(utf8(" \n" + payload.text.replacing(",", with: " ,\t").replacing(":\"", with: " :\r\"") + "\n "))
                .isEmpty)
    }

    @Test func `keys are compared with their escapes replaced`() {
        #expect(rows(Payload().without("event").adding(#"\u0065vent"#, #""e""#).bytes).isEmpty)
        #expect(rows(Payload().without("ticket_id").adding(#"ticket\u005Fid"#, #""T""#).bytes).isEmpty)
        #expect(rows(Payload().adding(#"\u0065vent"#, #""e""#).bytes) == ["event: occurs more than once"])
        #expect(rows(Payload().without("event").adding("Event", #""e""#).bytes).first == "event: is required")
        #expect(rows(Payload().without("event").adding("event ", #""e""#).bytes).last == "event : is not a known field")
        #expect(
            rows(Payload().without("event").adding(#"event\u0000"#, #""e""#).bytes).last
                == "event\0: is not a known field")
    }

    @Test func `a field that occurs twice is refused, whatever its values`() {
        for field in TicketTests.rules.keys {
            let value = Payload().members.first { $0.key == field }?.value ?? "null"
            let once = Payload().with(field, value)
            #expect(rows(once.adding(field, value).bytes) == ["\(field): occurs more than once"])
            #expect(rows(once.adding(field, "{}").adding(field, "1").bytes) == ["\(field): occurs more than once"])
            #expect(rows(Payload().with(field, "1").adding(field, value).bytes) == ["\(field): occurs more than once"])
        }
    }

    @Test func `an unknown field is refused or ignored, as the setting says`() {
        for value in ["1", "null", #""x""#, #"{"event":1,"deep":[{}]}"#] {
            let body = Payload().adding("extra", value).bytes
            #expect(rows(body) == ["extra: is not a known field"])
            #expect(rows(body, unknownFields: .ignore).isEmpty)
        }
        #expect(rows(Payload().adding("", "1").bytes) == [": is not a known field"])
    }

    @Test func `ignored fields are still checked as JSON`() {
        for (value, kind) in [
            ("01", "unexpectedByte"), ("[1,]", "unexpectedByte"), (#""\x""#, "escape"),
            (#"{"a":1,"a":1}"#, "duplicateKey"),
        ] {
            #expect(
                rows(Payload().adding("extra", value).bytes, unknownFields: .ignore).first?.hasPrefix("JSON: ") == true,
                "\(kind)")
        }
        let twice = Payload().adding("extra", "1").adding(#"extr\u0061"#, "1").bytes
        #expect(rows(twice, unknownFields: .ignore) == ["JSON: duplicateKey"])
        #expect(!rows(twice).isEmpty)
    }

    @Test func `16 unknown fields are listed, and the rest counted`() {
        var payload = Payload()
        for number in 0..<UnknownKeys.limit { payload = payload.adding("k\(number)", "1") }
        #expect(rows(payload.bytes).count == 16 && rows(payload.bytes).last == "k15: is not a known field")
        payload = payload.adding("k16", "1").adding("k17", "1")
        #expect(rows(payload.bytes).count == 17 && rows(payload.bytes).last == "…: 2 more unknown fields")
    }

    @Test func `an unknown key of more than 64 bytes is not repeated`() {
        let most = String(repeating: "k", count: UnknownKeys.keyLimit)
        #expect(rows(Payload().adding(most, "1").bytes) == ["\(most): is not a known field"])
        #expect(rows(Payload().adding(most + "é", "1").bytes) == ["(a key of 66 bytes): is not a known field"])
    }

    @Test(arguments: [
        ("[]", JSONFault.Kind.unexpectedByte), ("", .unexpectedEnd), ("null", .unexpectedByte), ("{", .unexpectedEnd),
        ("\u{FEFF}{}", .byteOrderMark), ("{} {}", .trailingBytes), (#"{"event":"\ud83d"}"#, .surrogate),
        (#"{"event":"a",}"#, .unexpectedByte), (#"{"event":"\#n"}"#, .controlCharacter),
        (#"{"event":{"a":1,"a":2}}"#, .duplicateKey),
        (#"{"x":\#(String(repeating: "[", count: 32))"#, .tooDeep),
    ])
    func `a body that is not JSON is refused, with the kind of fault`(body: String, kind: JSONFault.Kind) {
        var ticket = Ticket()
        guard case .json(let fault) = read(utf8(body), into: &ticket) else {
            Issue.record("not a JSON fault")
            return
        }
        #expect(fault.kind == kind)
    }

    @Test func `a reader and a ticket keep nothing of the last body`() {
        var reader = TicketReader()
        var ticket = Ticket()
        let full = Payload().with("correlation_id", #""00000000-0000-4000-8000-000000000000""#).with(
            "priority", #""critical""#
        ).bytes
        for body in [utf8("{"), utf8(#"{"ticket_id":"OLD"}"#), full] { try? reader.read(body.span, into: &ticket) }
        let plain = Payload().bytes
        #expect(throws: Never.self) { try reader.read(plain.span, into: &ticket) }
        #expect(ticket.correlationID.isEmpty && ticket.ticketID.text == "TCK-1042" && ticket.priority == .high)
    }

    @Test func `spoilt payloads do not trap`() {
        var random = SplitMix64(seed: 23)
        let tokens = [#""event":"#, #""x":1,"#, "null", "\\u0000", "\"", "{", "}", ",", "😀", "\\ud83d"].map { utf8($0) }
        var ticket = Ticket()
        var valid = 0
        for _ in 0..<5000 {
            let body = random.spoil(Payload().bytes, with: tokens)
            if read(body, unknownFields: .ignore, into: &ticket) == nil {
                valid += 1
                #expect(ticket.description.upperBound <= body.count && !ticket.ticketID.isEmpty)
            }
        }
        #expect((50...4900).contains(valid))
    }
}
