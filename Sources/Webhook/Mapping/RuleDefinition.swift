import Bytes
import JSON

/// The members of a rule in the tenants file.
package enum FieldRuleMember: String, CaseIterable {
    case path, value, time, html, prefix
    case tooLong = "too_long"
    case map
    case standard = "default"
    case otherwise

    /// Whether it says what becomes of what a path leads to.
    var needsPath: Bool { self != .path && self != .value && self != .time }

    /// The members that a field's rules may have.
    package static func members(for field: Field) -> Set<FieldRuleMember> {
        switch field {
        case .event: [.path, .value, .otherwise]
        case .ticketID: [.path, .prefix, .otherwise]
        case .tenantID: []
        case .description: [.path, .value, .html, .tooLong, .otherwise]
        case .priority: [.path, .value, .map, .standard, .otherwise]
        case .createdAt: [.path, .time, .otherwise]
        case .correlationID: [.path, .otherwise]
        }
    }
}

/// How a time is written, or that it is the request's.
package enum FieldRuleTime: String, CaseIterable {
    case rfc3339
    case epochMilliseconds = "epoch_milliseconds"
    case received
}

/// A rule of a profile as the tenants file has it. A member that is nil is not there.
package struct RuleDefinition {
    /// Rules that are tried one after another, at most.
    package static let chainLimit = 4

    var paths: [JSONPath]?
    var value: String?
    var time: FieldRuleTime?
    var isHTML: Bool?
    var prefix: String?
    var cuts: Bool?
    var map: [(name: String, priority: Priority)]?
    var standard: Priority?
    /// Tried where this rule finds nothing: at most one, in an array since a value cannot hold itself.
    var otherwise: [RuleDefinition] = []
    /// Whether it has faults, which have been reported.
    var isFaulty = false

    /// Another rule, with this one's members in place of its own.
    func over(_ base: RuleDefinition) -> RuleDefinition {
        var result = base
        // Where the value comes from is one thing, however it is said.
        if paths != nil || value != nil || time == .received {
            (result.paths, result.value, result.time) = (
                paths, value, time ?? (base.time == .received ? nil : base.time)
            )
        } else if let time {
            result.time = time
        }
        result.isHTML = isHTML ?? base.isHTML
        result.prefix = prefix ?? base.prefix
        result.cuts = cuts ?? base.cuts
        result.map = map ?? base.map
        result.standard = standard ?? base.standard
        if !otherwise.isEmpty { result.otherwise = otherwise }
        result.isFaulty = isFaulty || base.isFaulty
        return result
    }

    /// The rules to be tried in turn.
    func rules(for field: Field) throws(RuleFault) -> [FieldRule] {
        var rules = [FieldRule(source: try source(for: field), conversion: try conversion, cuts: cuts ?? false)]
        for definition in otherwise {
            do throws(RuleFault) {
                rules += try definition.rules(for: field)
            } catch {
                throw RuleFault(member: "otherwise.\(error.member)", text: error.text)
            }
        }
        return rules
    }

    private func source(for field: Field) throws(RuleFault) -> FieldRule.Source {
        switch (paths, value, time == .received) {
        case (let paths?, nil, false): return .paths(paths)
        case (nil, let value?, false): return .constant(value)
        case (nil, nil, true): return .received
        case (nil, nil, false):
            let others = FieldRuleMember.members(for: field)
            let more =
                others.contains(.value) ? " or a value" : others.contains(.time) ? ", or the time \"received\"" : ""
            throw RuleFault(member: "path", text: "expected a path\(more)")
        default: throw RuleFault(member: "path", text: "the value has more than one source")
        }
    }

    private var conversion: FieldRule.Conversion {
        get throws(RuleFault) {
            guard paths != nil else { return .none }
            if isHTML == true { return .html }
            if time == .epochMilliseconds { return .epochMilliseconds }
            if let prefix { return .prefix(prefix) }
            guard map != nil || standard != nil else { return .none }
            return .priority(try table)
        }
    }

    private var table: FieldRule.PriorityTable {
        get throws(RuleFault) {
            let own = Priority.allCases.map { (name: "\($0.name)", priority: $0) }
            guard let table = FieldRule.PriorityTable(map ?? own, standard: standard) else {
                throw RuleFault(member: "map", text: "has two names that differ in case only")
            }
            return table
        }
    }
}

/// What is wrong with a rule, and with which of its members.
struct RuleFault: Error {
    let member: String
    let text: String
}

/// A profile as the tenants file has it.
struct ProfileDefinition {
    var id = ""
    /// The shipped profile whose members it has, unless it has its own.
    var like: String?
    var keys: [JSONPath]?
    var fields: [Field: RuleDefinition] = [:]

    /// Another profile, with this one's members in place of its own.
    func over(_ base: ProfileDefinition) -> ProfileDefinition {
        var result = self
        result.keys = keys ?? base.keys
        result.fields = base.fields.merging(fields) { old, new in new.over(old) }
        return result
    }

    /// The profile, or nil with the faults that keep it from being one: each with the place within the profile.
    func profile(_ faults: inout [String]) -> MappingProfile? {
        var rules: [Field: [FieldRule]] = [:]
        let count = faults.count
        for field in Field.allCases where field.isMapped {
            guard let definition = fields[field] else {
                if field.isRequired { faults.append("fields: expected a rule for \(field.name)") }
                continue
            }
            guard !definition.isFaulty else { continue }
            do throws(RuleFault) {
                rules[field] = try definition.rules(for: field)
            } catch {
                faults.append("fields.\(field.name).\(error.member): \(error.text)")
            }
        }
        if let keys {
            for key in keys {
                guard let inner = keys.first(where: { $0.continues(key) }) else { continue }
                faults.append("keys: \(key.text) cannot have both a value and \(inner.text)")
            }
            for field in Field.allCases {
                for path in (rules[field] ?? []).flatMap(\.paths) where !keys.contains(path) {
                    faults.append("fields.\(field.name).path: \(path.text) is not one of the template's keys")
                }
            }
        }
        guard faults.count == count, !fields.values.contains(where: \.isFaulty) else { return nil }
        return MappingProfile(id: id, templateKeys: keys, rules: rules)
    }
}
