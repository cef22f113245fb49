import JSON
import TestSupport
import Testing

@testable import Webhook

/// Profiles in the tenants file.
struct ProfileFileTests {
    private static let fields = #"""
        "event":{"value":"e"},"ticket_id":{"path":"id"},"description":{"path":"text"},"priority":{"path":"p"},
        "created_at":{"time":"received"}
        """#

    private func file(_ profiles: String, profile: String = "own", route: String = #""tenant":"acme""#) -> String {
        """
        {"tenants":[{"id":"acme"}],"profiles":\(profiles),"senders":[{"id":"desk","profile":"\(profile)",\(route),
        "keys":[{"id":"1","mode":"servicedesk","secret":"\(secret.text)"}]}]}
        """
    }

    private func faults(_ text: [UInt8]) -> String {
        do throws(TenantsFileFault) {
            _ = try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "no such file")) }
            return ""
        } catch {
            return "\(error)"
        }
    }

    private func profile(_ changes: String, without name: String) -> String {
        let own = Self.fields.replacing("\n", with: "").replacing("},", with: "}\n").split(separator: "\n")
        let kept = own.filter { !$0.hasPrefix("\"\(name)\"") }
        return #"[{"id":"own","fields":{\#((kept + [changes[...]]).joined(separator: ","))}}]"#
    }

    @Test(arguments: [
        ("event", #""event":{}"#, "event.path: expected a path or a value"),
        ("event", #""event":{"value":"e","path":"x"}"#, "event.path: the value has more than one source"),
        ("event", #""event":{"value":"e","otherwise":{"value":"x"}}"#, "event.otherwise: has no effect without a path"),
        (
            "created_at", #""created_at":{"time":"rfc3339"}"#,
            "created_at.path: expected a path, or the time \"received\""
        ),
        (
            "created_at", #""created_at":{"time":"received","otherwise":{"path":"x"}}"#,
            "created_at.otherwise: has no effect without a path"
        ),
        ("description", #""description":{"value":"x","html":true}"#, "description.html: has no effect without a path"),
        ("priority", #""priority":{"value":"low","default":"high"}"#, "priority.default: has no effect without a path"),
        ("priority", #""priority":{"path":"p","map":{}}"#, "priority.map: expected at least one"),
        (
            "priority", #""priority":{"path":"p","map":{"a":"low","b":"lower","":"low"}}"#,
            "priority.map[1]: must be one of low, medium, high, critical; profiles[0].fields.priority.map[2]: expected a name: for an empty priority use default"
        ),
        (
            "priority", #""priority":{"path":"p","map":{"É":"low"," é":"high"}}"#,
            "priority.map: has two names that differ in case only"
        ),
        ("priority", #""priority":{"path":"p","value":null}"#, "priority.value: expected a string"),
        ("ticket_id", #""ticket_id":{"path":[["id"]]}"#, "ticket_id.path[0]: expected a string"),
        (
            "ticket_id",
            #""ticket_id":{"path":"a","otherwise":{"path":"b","otherwise":{"path":"c","otherwise":{"path":"d","otherwise":{"path":"e"}}}}}"#,
            "ticket_id.otherwise.otherwise.otherwise.otherwise: expected at most 4 rules nested in one another"
        ),
        (
            "ticket_id", #""ticket_id":{"path":"a","otherwise":{"prefix":"A"}}"#,
            "ticket_id.otherwise.path: expected a path"
        ),
    ])
    func `a fault of a rule is told with its place`(field: String, rule: String, fault: String) {
        #expect(faults(utf8(file(profile(rule, without: field)))) == "profiles[0].fields.\(fault)")
    }

    @Test(arguments: [
        (#"["id","text","p","p.name"]"#, "keys: p cannot have both a value and p.name"),
        (#"["id","text"]"#, "fields.priority.path: p is not one of the template's keys"),
        ("[]", "keys: expected at least one path"), (#"["id","text","p","id"]"#, "keys[3]: occurs twice"),
    ])
    func `a fault of a template's keys is told`(keys: String, fault: String) {
        #expect(
            faults(utf8(file(#"[{"id":"own","keys":\#(keys),"fields":{\#(Self.fields)}}]"#))) == "profiles[0].\(fault)")
    }

    @Test(arguments: [
        // Another source takes the place of the shipped one; what else the rule has stays.
        (
            #""created_at":{"time":"received"}"#, #"{"id":7,"created_at":"x","subject":"s"}"#,
            "acme 7 medium \(Desk.time) s"
        ),
        (#""priority":{"value":"low"}"#, #"{"id":7,"priority":"High","subject":"s"}"#, "acme 7 low \(Desk.time) s"),
        (
            #""priority":{"path":"p"}"#, #"{"id":7,"priority":"Low","p":"High","subject":"s"}"#,
            "acme 7 high \(Desk.time) s"
        ),
        (
            #""description":{"path":"text"}"#, #"{"id":7,"text":"a<br>b","subject":"s"}"#,
            "acme 7 medium \(Desk.time) a\nb"
        ),
        (#""description":{"html":false}"#, #"{"id":7,"description":"a<br>b"}"#, "acme 7 medium \(Desk.time) a<br>b"),
        (#""description":{"path":"text"}"#, #"{"id":7,"description":"d","title":"t"}"#, "acme 7 medium \(Desk.time) t"),
        (
            #""description":{"otherwise":{"path":"about"}}"#, #"{"id":7,"about":"a","title":"t"}"#,
            "acme 7 medium \(Desk.time) a"
        ),
        (
            #""created_at":{"time":"epoch_milliseconds"}"#, #"{"id":7,"created_at":0,"subject":"s"}"#,
            "acme 7 medium 1970-01-01T00:00:00.000000Z s"
        ),
    ])
    func `a profile like a shipped one has what it does not say itself`(fields: String, body: String, expected: String)
    {
        var desk = ProfileDesk("own", profiles: #"[{"id":"own","like":"generic","fields":{\#(fields)}}]"#)
        #expect(desk.result(of: body) == expected)
    }

    @Test func `no change to a file with profiles makes a trap`() {
        let shipped = ShippedProfiles.texts.map { $0.replacing(#"{"id": ""#, with: #"{"id": "own-"#) }
        let whole = utf8(file("[\(shipped.joined(separator: ","))]", profile: "own-generic"))
        #expect(faults(whole) == "")
        let pieces = [
            #""path""#, #""keys""#, #""like""#, #""generic""#, #""otherwise""#, #""map""#, #""time""#, #""received""#,
            "null",
            "[]", "{}", "{", "}", "[", "]", ",", ":", #""""#, #""a.b""#, "0", "-1e9", "true", #""\u0000""#,
            #"{"path":"a"}"#,
            "\"\(String(repeating: "a.", count: 9))\"",
        ].map(utf8)
        var random = SplitMix64(seed: 11)
        var accepted = 0
        for _ in 0..<3000 {
            var text = whole
            for _ in 0..<1 + random.below(4) {
                let start = random.below(text.count)
                let end = min(text.count, start + random.below(random.below(8) == 0 ? 200 : 12))
                switch random.below(4) {
                case 0: text.removeSubrange(start..<end)
                case 1: text.insert(contentsOf: text[start..<end], at: random.below(text.count))
                default: text.replaceSubrange(start..<end, with: random.pick(pieces))
                }
            }
            if faults(text) == "" { accepted += 1 }
        }
        #expect(accepted > 0)
    }

    /// A member of the file, at any depth, in the place of another: JSON that is well-formed and of the wrong shape.
    @Test func `a value of any type anywhere is accepted, or a fault`() throws {
        let shipped = ShippedProfiles.texts.map { $0.replacing(#"{"id": ""#, with: #"{"id": "own-"#) }
        let whole = utf8(file("[\(shipped.joined(separator: ","))]", profile: "own-generic"))
        let tree = try JSONTree(whole.span)
        let others: [JSONTree] = [
            "x", 5, true, [], [:], [["path": "a"]], ["path": "a"], ["a", "a.b"], ["value": "low"], ["otherwise": [:]],
        ]
        var count = 0
        forEachPlace(in: tree) { place in
            for other in others {
                let text = replaced(tree, at: place[...], with: other).text
                _ = faults(text)
                count += 1
            }
        }
        #expect(count > 1000)
    }

    private func forEachPlace(in tree: JSONTree, _ place: [Int] = [], _ body: ([Int]) -> Void) {
        if !place.isEmpty { body(place) }
        for (index, child) in (tree.members?.map(\.value) ?? tree.elements ?? []).enumerated() {
            forEachPlace(in: child, place + [index], body)
        }
    }

    private func replaced(_ tree: JSONTree, at place: ArraySlice<Int>, with other: JSONTree) -> JSONTree {
        guard let index = place.first else { return other }
        if var members = tree.members {
            members[index].value = replaced(members[index].value, at: place.dropFirst(), with: other)
            return .object(members)
        }
        guard var elements = tree.elements else { return tree }
        elements[index] = replaced(elements[index], at: place.dropFirst(), with: other)
        return .array(elements)
    }
}
