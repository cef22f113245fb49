package import JSON

/// How a ticket is made from a payload of another shape (the README, "Profiles"). Data: the tenants file has it, or one of
/// the shipped profiles is used.
package struct MappingProfile: Equatable, Sendable {
    package let id: String
    /// The paths that a template has: each occurs exactly once, and nothing else does. Nil: keys that are not used are
    /// ignored.
    package let templateKeys: [JSONPath]?
    /// By the fields' raw values. Rules of one field are tried in turn until one finds a value.
    private let rules: [[FieldRule]]
    /// Finds the values at all paths, each of which it has once.
    let tree: PathTree

    /// - Parameter rules: of every field that is required, apart from the tenant's.
    init(id: String, templateKeys: [JSONPath]?, rules: [Field: [FieldRule]]) {
        self.id = id
        self.templateKeys = templateKeys
        self.rules = Field.allCases.map { rules[$0] ?? [] }
        var paths: [JSONPath] = []
        var known: Set<JSONPath> = []
        for path in (templateKeys ?? []) + self.rules.joined().flatMap(\.paths) where known.insert(path).inserted {
            paths.append(path)
        }
        tree = PathTree(paths)
    }

    package func rules(for field: Field) -> [FieldRule] { rules[field.rawValue] }

    package static func == (a: MappingProfile, b: MappingProfile) -> Bool {
        a.id == b.id && a.templateKeys == b.templateKeys && a.rules == b.rules
    }
}

/// Where the value of a field comes from, and how it is made the ticket's.
package struct FieldRule: Equatable, Sendable {
    package enum Source: Equatable, Sendable {
        /// What is at one of these paths. At most one of them may be present.
        case paths([JSONPath])
        /// The same for every ticket.
        case constant(String)
        /// When the request was received.
        case received
    }

    package enum Conversion: Equatable, Sendable {
        case none
        /// To plain text.
        case html
        /// A number of milliseconds since 1970, as a number or as text, to RFC 3339.
        case epochMilliseconds
        /// A name of the sender's, in any case, to the ticket's.
        case priority(PriorityTable)
        /// An id that is a bare number gets this before it.
        case prefix(String)
    }

    package struct PriorityTable: Equatable, Sendable {
        /// By names in lower case.
        private let priorities: [String: Priority]
        /// Bytes of a name, at most.
        private let longest: Int
        /// For names that are not in the table.
        package let standard: Priority?
        /// As the file has them, for the sender to read.
        package let names: [String]

        /// Nil if two names differ in case only.
        init?(_ map: [(name: String, priority: Priority)], standard: Priority?) {
            var priorities: [String: Priority] = [:]
            for (name, priority) in map {
                guard priorities.updateValue(priority, forKey: name.lowercased()) == nil else { return nil }
            }
            self.priorities = priorities
            self.standard = standard
            names = map.map(\.name)
            longest = names.map(\.utf8.count).max() ?? 0
        }

        func priority(named name: [UInt8]) -> Priority? {
            // In lower case a character has at least a third of its bytes.
            guard name.count <= 3 * longest else { return nil }
            return priorities[String(decoding: name, as: UTF8.self).lowercased()]
        }
    }

    package var source: Source
    package var conversion = Conversion.none
    /// Whether text that is longer than the field may be is cut, and not refused.
    package var cuts = false

    package var paths: [JSONPath] { if case .paths(let paths) = source { paths } else { [] } }
}

extension Field {
    /// Whether a profile has rules for it. The tenant is the sender's.
    package var isMapped: Bool { self != .tenantID }
}
