import Webhook

extension Schemas {
    /// The tenants file as JSON.
    static let tenants: JSONTree = [
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tenants file",
        "description": """
        SERVICEDESK_TENANTS_FILE. Also refused, though no schema can say so: two tenants, or two keys of one \
        tenant, with the same id; a secret that two tenants have, or of fewer than \(Secrets.minimumLength) bytes; a \
        time that is no real date; not_after before not_before; a secret_file that cannot be read.
        """,
        "type": "object",
        "properties": [
            "tenants": [
                "description": "Who may post tickets.",
                "type": "array",
                "minItems": 1,
                "items": tenant,
            ]
        ],
        "required": ["tenants"],
        "additionalProperties": false,
        "examples": [
            [
                "tenants": [
                    [
                        "id": "acme",
                        "keys": [
                            ["id": "2026-11", "mode": "servicedesk", "secret_file": "acme-2026.key"],
                            [
                                "id": "2025", "mode": "servicedesk", "secret_file": "acme-2025.key",
                                "not_after": "2026-12-31T23:59:59Z",
                            ],
                        ],
                    ]
                ]
            ]
        ],
    ]

    private static let tenant: JSONTree = [
        "type": "object",
        "properties": [
            "id": rule(of: .tenantID),
            "active": ["description": "Whether its keys are accepted; true if left out.", "type": "boolean"],
            "keys": [
                "description": "More than one while a key is rotated.",
                "type": "array",
                "minItems": 1,
                "maxItems": .number(TenantsJSON.keyLimit),
                "items": key,
            ],
        ],
        "required": ["id", "keys"],
        "additionalProperties": false,
    ]

    private static let key: JSONTree = [
        "type": "object",
        "properties": [
            "id": [
                "description": "What the log calls the key.",
                "type": "string",
                "pattern": "^[A-Za-z0-9._-]{1,\(TenantsJSON.keyIDLimit)}$",
                "not": ["pattern": #"\n"#],
            ],
            "mode": [
                "description": "How the sender proves that it has the key.",
                "enum": .array(TenantsJSON.modeNames.map { .string($0) }),
            ],
            "secret": [
                "description": "The key itself, at least \(Secrets.minimumLength) bytes.", "type": "string",
                // Characters have up to four bytes.
                "minLength": .number(Secrets.minimumLength / 4),
            ],
            "secret_file": [
                "description": "The path of a file that holds it, relative to the tenants file.", "type": "string",
                "minLength": 1,
            ],
            "not_before": time("When the key begins to be accepted; at once if left out."),
            "not_after": time("The last moment at which the key is accepted; for ever if left out."),
        ],
        "required": ["id", "mode"],
        "oneOf": [["required": ["secret"]], ["required": ["secret_file"]]],
        "additionalProperties": false,
    ]

    private static func time(_ description: JSONTree) -> JSONTree {
        guard case .object(let members) = rule(of: .createdAt) else { return rule(of: .createdAt) }
        return .object(members.map { $0.name == "description" ? ("description", description) : $0 })
    }
}
