import JSON
import Webhook

extension Schemas {
    /// The tenants file as JSON.
    static let tenants: JSONTree = [
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tenants file",
        "description": """
        SERVICEDESK_TENANTS_FILE. Also refused, though no schema can say so: two tenants, two senders, or two keys of \
        one of them, with the same id; a secret that two of them have, or of fewer than \(Secrets.minimumLength) bytes, \
        or that is a published example; a tenant without keys that no sender has; a sender's tenant that is not in the \
        file; a profile that is neither in the file nor shipped, that has a shipped one's id, or lacks a rule for a \
        field; a rule without a source or with two, or whose other members have no effect; rules more than \
        \(RuleDefinition.chainLimit) deep; two names of a map that differ in case only; a template's path that is not one \
        of its keys, or a key that lies within another; a per_second with more than three decimals; a time that is no \
        real date; not_after before not_before; a secret_file that cannot be read; more than \
        \(KeyModes.limit) different modes.
        """,
        "type": "object",
        "properties": [
            "tenants": [
                "description": "Who may post tickets.",
                "type": "array",
                "minItems": 1,
                "items": tenant,
            ],
            "senders": [
                "description": """
                Who posts tickets to /webhook/servicedesk/ID, of one tenant or of those that a value in the payload stands for.
                """,
                "type": "array",
                "items": sender,
            ],
            "profiles": [
                "description": "How payloads of senders are mapped, beside the profiles that are shipped.",
                "type": "array",
                "items": profile,
            ],
            "limit": limit("The limit of each tenant that has none of its own."),
        ],
        "$defs": .object(fieldRules),
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
                    ],
                    ["id": "globex"],
                ],
                "senders": [
                    [
                        "id": "msp",
                        "keys": [
                            ["id": "1", "mode": "token", "header": "X-Webhook-Secret", "secret_file": "msp.key"]
                        ],
                        "tenant_from": ["path": "account.name", "tenants": ["Globex Inc.": "globex"]],
                    ]
                ],
            ]
        ],
    ]

    private static let tenant: JSONTree = [
        "type": "object",
        "properties": [
            "id": rule(of: .tenantID),
            "active": active,
            "limit": limit("How many requests it may make."),
            "keys": keys("More than one while a key is rotated; none if only senders send its tickets.", minimum: 0),
        ],
        "required": ["id"],
        "additionalProperties": false,
    ]

    private static let sender: JSONTree = [
        "type": "object",
        "properties": [
            "id": rule(of: .tenantID),
            "active": active,
            "keys": keys("More than one while a key is rotated.", minimum: 1),
            "tenant": rule(of: .tenantID),
            "tenant_from": [
                "description": "The tenant is the one that a value in the payload stands for.",
                "type": "object",
                "properties": [
                    "path": path,
                    "tenants": [
                        "description": "The tenant for each value; a number stands for its digits.",
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": rule(of: .tenantID),
                    ],
                ],
                "required": ["path", "tenants"],
                "additionalProperties": false,
            ],
            "profile": [
                "description": "How its payloads are mapped to tickets: a profile of the file, or one that is shipped.",
                "type": "string", "minLength": 1,
            ],
        ],
        "required": ["id", "keys"],
        "oneOf": [["required": ["tenant"]], ["required": ["tenant_from"]]],
        "additionalProperties": false,
    ]

    private static let active: JSONTree = [
        "description": "Whether its keys are accepted; true if left out.", "type": "boolean",
    ]

    private static func limit(_ description: JSONTree) -> JSONTree {
        [
            "description": description,
            "type": "object",
            "properties": [
                "per_second": [
                    "description": "Requests a second, with at most three decimals.",
                    "type": "number", "exclusiveMinimum": 0, "maximum": .number(RateLimit.rates.upperBound / 1000),
                ],
                "burst": [
                    "description": "Requests that may come at once.",
                    "type": "integer", "minimum": .number(RateLimit.bursts.lowerBound),
                    "maximum": .number(RateLimit.bursts.upperBound),
                ],
            ],
            "required": ["per_second", "burst"],
            "additionalProperties": false,
        ]
    }

    private static func keys(_ description: JSONTree, minimum: Int) -> JSONTree {
        [
            "description": description,
            "type": "array",
            "minItems": .number(minimum),
            "maxItems": .number(TenantsJSON.keyLimit),
            "items": ["oneOf": .array(KeyModes.types.map(key))],
        ]
    }

    /// A key of a mode.
    private static func key(_ mode: any KeyMode.Type) -> JSONTree {
        var members: [(name: String, value: JSONTree)] = [
            (
                "id",
                [
                    "description": "What the log calls the key.",
                    "type": "string",
                    "pattern": "^[A-Za-z0-9._-]{1,\(TenantsJSON.keyIDLimit)}$",
                    "not": ["pattern": #"\n"#],
                ]
            ),
            ("mode", ["description": "How the sender proves that it has the key.", "const": .string(mode.name)]),
            ("secret", secret(mode)),
            (
                "secret_file",
                [
                    "description": "The path of a file that holds it, relative to the tenants file.",
                    "type": "string", "minLength": 1,
                ]
            ),
            ("not_before", time("When the key begins to be accepted; at once if left out.")),
            ("not_after", time("The last moment at which the key is accepted; for ever if left out.")),
        ]
        for member in ModeParameters.Member.allCases where mode.members.contains(member) {
            members.append((member.rawValue, parameter(member)))
        }
        let secrets: [JSONTree] = ["secret", "secret_file"] + (mode.members.contains(.sha256) ? ["sha256"] : [])
        return [
            "type": "object",
            "properties": .object(members),
            "required": .array(["id", "mode"] + mode.required.map { .string($0.rawValue) }),
            "oneOf": .array(secrets.map { ["required": [$0]] }),
            "additionalProperties": false,
        ]
    }

    private static func secret(_ mode: any KeyMode.Type) -> JSONTree {
        if mode.name == StandardWebhooksMode.name {
            return [
                "description": "The key itself: whsec_ and 24 to 64 bytes in base64.", "type": "string",
                "pattern": "^whsec_[A-Za-z0-9+/]{32,86}={0,2}$",
            ]
        }
        return [
            "description": "The key itself, at least \(Secrets.minimumLength) bytes.", "type": "string",
            // Characters have up to four bytes.
            "minLength": .number(Secrets.minimumLength / 4),
        ]
    }

    /// A member that only some modes have.
    private static func parameter(_ member: ModeParameters.Member) -> JSONTree {
        switch member {
        case .mode, .secret: [:]
        case .sha256:
            [
                "description": "The SHA-256 of the secret in its place.", "type": "string",
                "pattern": "^[0-9A-Fa-f]{64}$",
            ]
        case .user:
            [
                "description": "The user's name.", "type": "string", "minLength": 1,
                "maxLength": .number(BasicMode.userLimit),
            ]
        case .header, .timestampHeader:
            [
                "description": member == .header ? "The header that it is in." : "The header of the signed time.",
                "type": "string", "pattern": "^[A-Za-z0-9-]{1,\(HeaderNames.limit)}$",
            ]
        case .prefix, .separator:
            [
                "description": member == .prefix ? "What stands before it." : "What stands between time and body.",
                "type": "string", "pattern": "^[ -~]{0,\(HMACMode.textLimit)}$",
            ]
        case .encoding: choice("How the HMAC is written; hex if left out.", HMACMode.Encoding.self)
        case .signed: choice("What is signed; body if left out.", HMACMode.Content.self)
        case .timestampFormat: choice("How the time is written; unix if left out.", SignedTime.self)
        case .tolerance:
            [
                "description":
                    "Seconds that the time may lie before or after now; \(HMACMode.defaultTolerance) if left out.",
                "type": "integer", "minimum": .number(HMACMode.tolerances.lowerBound),
                "maximum": .number(HMACMode.tolerances.upperBound),
            ]
        case .plaintext:
            ["description": "Whether it is accepted without TLS; false if left out.", "type": "boolean"]
        }
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ description: JSONTree, _ type: Choice.Type
    ) -> JSONTree {
        ["description": description, "enum": .array(Choice.allCases.map { .string($0.rawValue) })]
    }

    private static func time(_ description: JSONTree) -> JSONTree {
        guard case .object(let members) = rule(of: .createdAt) else { return rule(of: .createdAt) }
        return .object(members.map { $0.name == "description" ? ("description", description) : $0 })
    }
}
