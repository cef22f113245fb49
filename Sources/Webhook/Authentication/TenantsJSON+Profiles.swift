import Bytes
import JSON

/// The profiles of the tenants file, and those that are shipped, which are written in the same way.
extension TenantsJSON {
    /// The shipped profiles by their ids.
    static let shippedProfiles: [String: ProfileDefinition] = {
        var parser = TenantsJSON { _ in .failure(SecretReadFault(description: "")) }
        for text in ShippedProfiles.texts { parser.readShippedProfile(Array(text.utf8)) }
        precondition(parser.faults.isEmpty, "a shipped profile has faults: \(parser.faults)")
        return Dictionary(uniqueKeysWithValues: parser.profiles.map { ($0.definition.id, $0.definition) })
    }()

    private mutating func readShippedProfile(_ text: [UInt8]) {
        var reader = JSONReader()
        do throws(JSONFault) {
            try readProfile(&reader, text.span, at: "profile")
        } catch {
            preconditionFailure("a shipped profile is not JSON: \(error)")
        }
    }

    /// A profile as it was read.
    struct ReadProfile {
        var definition = ProfileDefinition()
        let place: String
        var isObject = false
    }

    mutating func readProfile(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) {
        var result = ReadProfile(place: place)
        defer { profiles.append(result) }
        guard try isObject(&reader, text, at: place) else { return }
        result.isObject = true
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            let name = self.place(key.text(from: text))
            let place = "\(place).\(name)"
            switch name {
            case "id": result.definition.id = try self.text(&reader, text, at: place) ?? ""
            case "like": result.definition.like = try self.text(&reader, text, at: place) ?? ""
            case "keys": result.definition.keys = try readPaths(&reader, text, at: place)
            case "fields":
                guard try isObject(&reader, text, at: place) else { return }
                try reader.readMembers(in: text) { reader, key throws(JSONFault) in
                    let name = key.text(from: text)
                    let place = "\(place).\(self.place(name))"
                    guard let field = Field(name.span), field.isMapped else {
                        return try skipUnknown(&reader, text, at: place)
                    }
                    result.definition.fields[field] = try readRule(&reader, text, at: place, field, level: 1)
                }
            default: try skipUnknown(&reader, text, at: place)
            }
        }
    }

    private mutating func readRule(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String, _ field: Field, level: Int
    ) throws(JSONFault) -> RuleDefinition {
        var rule = RuleDefinition()
        var members: Set<FieldRuleMember> = []
        let before = faults.count
        guard try isObject(&reader, text, at: place) else {
            rule.isFaulty = true
            return rule
        }
        let allowed = FieldRuleMember.members(for: field)
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            let name = self.place(key.text(from: text))
            let place = "\(place).\(name)"
            guard let member = FieldRuleMember(rawValue: name), allowed.contains(member) else {
                return try skipUnknown(&reader, text, at: place)
            }
            members.insert(member)
            switch member {
            case .path: rule.paths = try readPaths(&reader, text, at: place)
            case .value: rule.value = try self.text(&reader, text, at: place)
            case .time: rule.time = try choice(&reader, text, at: place)
            case .html: rule.isHTML = try boolean(&reader, text, at: place)
            case .prefix: rule.prefix = try self.text(&reader, text, at: place)
            case .tooLong:
                let choice: TooLong? = try choice(&reader, text, at: place)
                rule.cuts = choice.map { $0 == .cut }
            case .map: rule.map = try readMap(&reader, text, at: place)
            case .standard: rule.standard = try readPriority(&reader, text, at: place)
            case .otherwise where level == RuleDefinition.chainLimit:
                faults.add("\(place): expected at most \(RuleDefinition.chainLimit) rules nested in one another")
                try reader.skipValue(in: text)
            case .otherwise:
                rule.otherwise = [try readRule(&reader, text, at: place, field, level: level + 1)]
            }
        }
        checkConstants(of: rule, for: field, at: place)
        if rule.value != nil || rule.time == .received {
            for member in FieldRuleMember.allCases where members.contains(member) && member.needsPath {
                faults.add("\(place).\(member.rawValue): has no effect without a path")
            }
        }
        rule.isFaulty = faults.count > before
        return rule
    }

    private enum TooLong: String, CaseIterable { case cut, refuse }

    /// Values that the file gives to every ticket must be valid ones.
    private mutating func checkConstants(of rule: RuleDefinition, for field: Field, at place: String) {
        if let prefix = rule.prefix,
            prefix.isEmpty || !Ticket.isTicketID(Array(prefix.utf8).span) || prefix.utf8.count > 20
        {
            faults.add("\(place).prefix: expected 1 to 20 of A-Z, 0-9 and -")
        }
        guard let value = rule.value else { return }
        let isValid =
            switch field {
            case .priority: Priority(value) != nil
            default: (1...field.limit).contains(value.unicodeScalars.count) && !value.utf8.contains(0)
            }
        if !isValid { faults.add("\(place).value: \(field.rule)") }
    }

    private mutating func readPaths(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> [JSONPath]? {
        var paths: [JSONPath] = []
        let before = faults.count
        if try reader.type(in: text) == .array {
            try readArray(&reader, text, at: place) { parser, reader, place throws(JSONFault) in
                try parser.readPath(&reader, text, at: place, into: &paths)
            }
            if paths.isEmpty && faults.count == before { faults.add("\(place): expected at least one path") }
        } else {
            try readPath(&reader, text, at: place, into: &paths)
        }
        return faults.count == before ? paths : nil
    }

    private mutating func readPath(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String, into paths: inout [JSONPath]
    ) throws(JSONFault) {
        guard let value = try string(&reader, text, at: place) else { return }
        guard let path = JSONPath(value) else {
            return faults.add("\(place): expected 1 to \(JSONPath.limit) keys with full stops between them")
        }
        guard paths.count < TenantsJSON.pathLimit else {
            return faults.add("\(place): expected at most \(TenantsJSON.pathLimit) paths")
        }
        if paths.contains(path) { faults.add("\(place): occurs twice") }
        paths.append(path)
    }

    private mutating func readMap(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> [(name: String, priority: Priority)]? {
        var map: [(name: String, priority: Priority)] = []
        guard try isObject(&reader, text, at: place) else { return nil }
        var count = 0
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            // A name may be anything: the place does not repeat it.
            let place = "\(place)[\(count)]"
            count += 1
            // As a value of the payload is.
            var name = key.text(from: text)
            name.trimWhiteSpace()
            if name.isEmpty { faults.add("\(place): expected a name: for an empty priority use default") }
            guard let priority = try readPriority(&reader, text, at: place) else { return }
            map.append((String(decoding: name, as: UTF8.self), priority))
        }
        if count == 0 { faults.add("\(place): expected at least one") }
        return map
    }

    private mutating func readPriority(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Priority? {
        guard let value = try self.text(&reader, text, at: place) else { return nil }
        if let priority = Priority(value) { return priority }
        faults.add("\(place): \(Field.priority.rule)")
        return nil
    }

    // MARK: Rules

    /// Makes the profiles of what was read, and gives each sender its own.
    mutating func checkProfiles() {
        var made: [String: MappingProfile] = [:]
        var ids: Set<String> = []
        for profile in profiles where profile.isObject {
            var definition = profile.definition
            if !Ticket.isTenantID(Array(definition.id.utf8).span) {
                faults.add("\(profile.place).id: expected 1 to \(Field.tenantID.limit) of a-z, 0-9 and -")
            } else if TenantsJSON.shippedProfiles[definition.id] != nil {
                faults.add("\(profile.place).id: is the id of a shipped profile")
            } else if !ids.insert(definition.id).inserted {
                faults.add("\(profile.place).id: another profile has it")
            }
            if let like = definition.like {
                guard let base = TenantsJSON.shippedProfiles[like] else {
                    faults.add("\(profile.place).like: expected one of \(TenantsJSON.shippedProfileIDs)")
                    continue
                }
                definition = definition.over(base)
            }
            var found: [String] = []
            made[definition.id] = definition.profile(&found)
            for fault in found { faults.add("\(profile.place).\(fault)") }
        }
        for index in owners.indices where owners[index].isSender {
            guard let id = owners[index].profileID else { continue }
            if let profile = made[id] ?? MappingProfile.shipped(id) {
                made[id] = profile
                owners[index].profile = profile
                checkRoute(of: owners[index], through: profile)
            } else if !ids.contains(id) {
                faults.add(
                    "\(owners[index].place).profile: is neither in the file nor one of \(TenantsJSON.shippedProfileIDs)"
                )
            }
        }
    }

    private static var shippedProfileIDs: String { MappingProfile.shippedIDs.joined(separator: ", ") }

    /// Where a template must have the value that determines the tenant.
    private mutating func checkRoute(of owner: Owner, through profile: MappingProfile) {
        guard let keys = profile.templateKeys, let path = owner.tenantFrom.flatMap({ JSONPath($0.path) }),
            !keys.contains(path)
        else { return }
        faults.add("\(owner.place).tenant_from.path: is not one of the keys of the template profile")
    }
}

extension MappingProfile {
    package static let shippedIDs: [String] = TenantsJSON.shippedProfiles.keys.sorted()

    /// The shipped profile with an id.
    package static func shipped(_ id: String) -> MappingProfile? {
        var faults: [String] = []
        return TenantsJSON.shippedProfiles[id]?.profile(&faults)
    }
}
