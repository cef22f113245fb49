import JSON
import Webhook

/// The JSON Schemas of tickets and jobs.
///
/// Their patterns need nothing that a dialect of regular expressions might lack, such as look-ahead. Beside a pattern
/// that ends with `$` stands a length or a `not`, since in some dialects `$` also matches before a last line feed.
enum Schemas {
    private static let dialect: JSONTree = "https://json-schema.org/draft/2020-12/schema"

    static func ticket(unknownFields: UnknownFields) -> JSONTree {
        [
            "$schema": dialect,
            "title": "Ticket",
            "description": .string(ticketDescription(unknownFields)),
            "type": "object",
            "properties": .object(Field.allCases.map { ("\($0.name)", rule(of: $0)) }),
            "required": .array(Field.allCases.filter(\.isRequired).map { "\($0.name)" }),
            "additionalProperties": .boolean(unknownFields == .ignore),
            "examples": [
                [
                    "event": "ticket_created",
                    "ticket_id": "TKT-1001",
                    "tenant_id": "acme",
                    "description": "no mail since this morning",
                    "priority": "high",
                    "created_at": "2026-11-24T12:05:01+01:00",
                ]
            ],
        ]
    }

    static let job: JSONTree = [
        "$schema": dialect,
        "title": "Job",
        "description": """
        What a worker gets for a ticket: an entry of the queue or, with SERVICEDESK_JOB_FORMAT=celery, the only \
        argument of the task. Members may be added within 1.x: ignore those that you do not know. event, delivery_id, \
        traceparent and tracestate are there if SERVICEDESK_JOB_MEMBERS asks for them; in a Celery message the last \
        two are headers.
        """,
        "type": "object",
        "properties": .object(standardMembers + optionalMembers),
        "required": .array(standardMembers.map { .string($0.0) }),
        "dependentRequired": ["tracestate": ["traceparent"]],
        "additionalProperties": true,
        "examples": [
            [
                "job_id": "92b6656a-cbd9-4de7-8bec-cc041136fbb3",
                "ticket_id": "TKT-1001",
                "tenant_id": "acme",
                "description": "no mail since this morning",
                "priority": "high",
                "timestamp": "2026-11-24T12:05:01+01:00",
                "created_at": "2026-11-24T11:05:01.546308Z",
                "correlation_id": "e961d585-256b-4cd4-b6df-761edf5bd8a6",
            ]
        ],
    ]

    // MARK: Tickets

    private static func ticketDescription(_ unknownFields: UnknownFields) -> String {
        let nesting = unknownFields == .ignore ? "an unknown member that is nested too deeply; " : ""
        return """
            The body of POST /webhook/servicedesk. Also refused, though no schema can say so: a key that \
            occurs twice; \(nesting)a created_at that is no real date, such as February 30, which only a validator \
            that asserts formats can see; a created_at whose UTC form is not in the years 1 to 9999; a created_at \
            further from now than SERVICEDESK_MAX_AGE; a body of more than SERVICEDESK_MAX_BODY bytes.
            """
    }

    static func rule(of field: Field) -> JSONTree {
        switch field {
        case .event: text("What happened to the ticket, in the sender's words.", limit: field.limit)
        case .ticketID: id("The ticket's number.", letters: "A-Z", limit: field.limit)
        case .tenantID: id("The customer whose ticket it is.", letters: "a-z", limit: field.limit)
        case .description:
            text("What the ticket says, without U+0000.", limit: field.limit, not: #"\x00"#)
        case .priority:
            [
                "description": "How urgent it is.",
                "enum": .array(Priority.allCases.map { "\($0.name)" }),
            ]
        case .createdAt:
            moment(
                "When the event happened: RFC 3339 with an offset, a real date.", shortest: 20, longest: field.limit,
                pattern: "\(date)[Tt]\(time)([.][0-9]+)?([Zz]|\(offset))")
        case .correlationID:
            [
                "description":
                    "A UUID of version 4 that links the job to something of the sender's; null counts as absent.",
                "type": ["string", "null"],
                "format": "uuid",
                "minLength": .number(field.limit),
                "maxLength": .number(field.limit),
                "pattern": .string(uuid(digit: "[0-9a-fA-F]", variant: "[89abAB]")),
            ]
        }
    }

    // MARK: Jobs

    private static let standardMembers: [(String, JSONTree)] = [
        ("job_id", jobID("A new UUID for each job.", digit: "[0-9a-f]", variant: "[89ab]")),
        ("\(Field.ticketID.name)", rule(of: .ticketID)),
        ("\(Field.tenantID.name)", rule(of: .tenantID)),
        ("\(Field.description.name)", rule(of: .description)),
        ("\(Field.priority.name)", rule(of: .priority)),
        (
            "timestamp",
            moment(
                "The ticket's created_at, with T and Z in upper case.", shortest: 20, longest: Field.createdAt.limit,
                pattern: "\(date)T\(time)([.][0-9]+)?(Z|\(offset))")
        ),
        (
            "created_at",
            moment(
                "When the job was queued, in UTC.", shortest: 27, longest: 27,
                pattern: "\(date)T\(time)[.][0-9]{6}Z")
        ),
        (
            "\(Field.correlationID.name)",
            jobID("The ticket's, as it was written, or a new UUID.", digit: "[0-9a-fA-F]", variant: "[89abAB]")
        ),
    ]

    /// Those of SERVICEDESK_JOB_MEMBERS.
    private static let optionalMembers: [(String, JSONTree)] = [
        ("\(Field.event.name)", rule(of: .event)),
        (
            "delivery_id",
            [
                "description": """
                Names the delivery, to recognise a second job for it: the sender's webhook-id or Idempotency-Key; \
                without one, sha256: and the SHA-256 of the body in lower-case hexadecimal digits.
                """,
                "type": "string",
                "pattern": "^[!-~]{1,\(Exchange.deliveryIDLimit)}$",
                "not": ["pattern": #"\n"#],
            ]
        ),
        (
            "traceparent",
            [
                "description": "W3C Trace Context, version 00: the webhook's span, the parent of the worker's.",
                "type": "string",
                "minLength": 55,
                "maxLength": 55,
                "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
                "not": ["pattern": "^00-0{32}|-0{16}-"],
            ]
        ),
        (
            "tracestate",
            [
                "description": "W3C Trace Context: the sender's, if it sent a valid one.",
                "type": "string",
                "minLength": 1,
                "maxLength": .number(TraceContext.stateLimit),
            ]
        ),
    ]

    // MARK: Kinds of values

    private static let date = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    private static let time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    private static let offset = "[+-]([01][0-9]|2[0-3]):[0-5][0-9]"

    private static func text(_ description: JSONTree, limit: Int, not: JSONTree? = nil) -> JSONTree {
        let rule: [(String, JSONTree)] = [
            ("description", description), ("type", "string"), ("minLength", 1), ("maxLength", .number(limit)),
        ]
        return .object(rule + (not.map { [("not", ["pattern": $0])] } ?? []))
    }

    private static func id(_ description: JSONTree, letters: String, limit: Int) -> JSONTree {
        [
            "description": description,
            "type": "string",
            "pattern": "^[\(letters)0-9-]{1,\(limit)}$",
            "not": ["pattern": #"\n"#],
        ]
    }

    private static func moment(_ description: JSONTree, shortest: Int, longest: Int, pattern: String) -> JSONTree {
        [
            "description": description,
            "type": "string",
            "format": "date-time",
            "minLength": .number(shortest),
            "maxLength": .number(longest),
            "pattern": "^\(pattern)$",
            "not": ["pattern": #"^0000|\n"#],
        ]
    }

    private static func jobID(_ description: JSONTree, digit: String, variant: String) -> JSONTree {
        [
            "description": description,
            "type": "string",
            "format": "uuid",
            "minLength": 36,
            "maxLength": 36,
            "pattern": .string(uuid(digit: digit, variant: variant)),
        ]
    }

    /// A UUID of version 4.
    private static func uuid(digit: String, variant: String) -> String {
        "^\(digit){8}-\(digit){4}-4\(digit){3}-\(variant)\(digit){3}-\(digit){12}$"
    }
}
