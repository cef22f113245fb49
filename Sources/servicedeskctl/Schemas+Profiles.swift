import JSON
import Webhook

extension Schemas {
    /// A profile of the tenants file.
    static let profile: JSONTree = [
        "description": "How payloads of another shape are mapped to tickets.",
        "type": "object",
        "properties": [
            "id": rule(of: .tenantID),
            "like": [
                "description": "The shipped profile that has what this one does not say.",
                "enum": .array(MappingProfile.shippedIDs.map { .string($0) }),
            ],
            "keys": [
                "description": "Those of a template: each occurs exactly once, and no other does.",
                "type": "array", "minItems": 1, "maxItems": .number(TenantsJSON.pathLimit), "uniqueItems": true,
                "items": path,
            ],
            "fields": [
                "description": "Where the ticket's fields come from.",
                "type": "object",
                "properties": .object(
                    Field.allCases.filter(\.isMapped).map { field in
                        ("\(field.name)", ["$ref": .string("#/$defs/rule-of-\(field.name)")])
                    }),
                "additionalProperties": false,
            ],
        ],
        "required": ["id"],
        "additionalProperties": false,
    ]

    /// A path to a value.
    static let path: JSONTree = [
        "description": "The keys to the value, from the outermost, with full stops between them.",
        "type": "string",
        "pattern": "^[^.]+(\\.[^.]+){0,\(JSONPath.limit - 1)}$",
    ]

    /// What the rules of fields are, by the names that they are referred to with.
    static let fieldRules: [(name: String, value: JSONTree)] = Field.allCases.filter(\.isMapped).map { field in
        let members = FieldRuleMember.allCases.filter { FieldRuleMember.members(for: field).contains($0) }
        let rule: JSONTree = [
            "type": "object",
            "properties": .object(members.map { ($0.rawValue, member($0, of: field)) }),
            "additionalProperties": false,
        ]
        return ("rule-of-\(field.name)", rule)
    }

    private static func member(_ member: FieldRuleMember, of field: Field) -> JSONTree {
        switch member {
        case .path:
            [
                "description":
                    "Where the value is in the payload: at one of several paths, of which only one may be present.",
                "oneOf": [
                    path,
                    [
                        "type": "array", "minItems": 1, "maxItems": .number(TenantsJSON.pathLimit), "uniqueItems": true,
                        "items": path,
                    ],
                ],
            ]
        case .value: rule(of: field)
        case .time: choice("How the time is written; or that of the request.", FieldRuleTime.self)
        case .html: ["description": "Whether it is HTML, which becomes plain text.", "type": "boolean"]
        case .prefix:
            [
                "description": "What an id gets that is a bare number.", "type": "string",
                "pattern": "^[A-Z0-9-]{1,20}$", "not": ["pattern": #"\n"#],
            ]
        case .tooLong: ["description": "What happens to a text that is too long.", "enum": ["cut", "refuse"]]
        case .map:
            [
                "description": "The priority for each name, in any case.", "type": "object", "minProperties": 1,
                "propertyNames": ["pattern": #"\S"#],
                "additionalProperties": rule(of: .priority),
            ]
        case .standard: rule(of: .priority)
        case .otherwise: ["$ref": .string("#/$defs/rule-of-\(field.name)")]
        }
    }
}
