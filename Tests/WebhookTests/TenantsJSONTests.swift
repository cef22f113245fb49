import TestSupport
import Testing

@testable import Webhook

/// The tenants file as JSON.
struct TenantsJSONTests {
    private static let a = String(repeating: "a", count: 32)
    private static let b = String(repeating: "b", count: 40)

    private func parse(
        _ text: String, files: [String: String] = [:]
    ) throws(TenantsFileFault) -> TenantTable {
        try TenantsJSON.parse(utf8(text).span) { name in
            files[name].map { .success(utf8($0)) } ?? .failure(SecretReadFault(description: "no such file"))
        }
    }

    private func faults(_ text: String, files: [String: String] = [:]) -> String? {
        do throws(TenantsFileFault) {
            _ = try parse(text, files: files)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// A file with one tenant whose only key has these members.
    private func file(key: String) -> String { #"{"tenants":[{"id":"acme","keys":[{\#(key)}]}]}"# }

    private func key(_ id: String, _ secret: String, _ more: String = "") -> String {
        #"{"id":"\#(id)","mode":"servicedesk","secret":"\#(secret)"\#(more)}"#
    }

    private func verdict(
        _ table: TenantTable, tenant: String, secret: String, at now: Int = 1_800_000_000
    ) -> Verdict {
        let body = utf8("body")
        var secrets = Secrets(tenants: table)
        return secrets.check(
            authenticator(utf8(secret)).tag(of: body.span), of: body.span, tenant: utf8(tenant), at: now)
    }

    @Test func `tenants sign with each of their keys, from the file itself or a file of its own`() throws {
        let table = try parse(
            #"""
            {"tenants": [
              {"id": "acme", "keys": [\#(key("2026", Self.a)), {"id": "old", "mode": "servicedesk", "secret_file": "keys/old"}]},
              {"keys": [\#(key("k.1_x-Y", #"\u0062bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"#))], "active": true, "id": "globex"}
            ]}
            """#, files: ["keys/old": String(repeating: "f", count: 33)])
        #expect(table.count == 2 && table.keyCount == 3 && table.isJSON && table.warnings == [])
        guard case .accepted(let first?) = verdict(table, tenant: "acme", secret: Self.a),
            case .accepted(let second?) = verdict(table, tenant: "acme", secret: String(repeating: "f", count: 33)),
            case .accepted(let third?) = verdict(table, tenant: "globex", secret: String(repeating: "b", count: 46))
        else {
            Issue.record("a key is not accepted")
            return
        }
        #expect([first, second, third].map { table.id(ofKey: $0).text } == ["2026", "old", "k.1_x-Y"])
        #expect(verdict(table, tenant: "acme", secret: Self.b) == .refused(.noKeyMatches))
        #expect(verdict(table, tenant: "initech", secret: Self.a) == .refused(.unknownTenant))
    }

    @Test func `an inactive tenant is refused`() throws {
        let table = try parse(#"{"tenants":[{"id":"acme","active":false,"keys":[\#(key("1", Self.a))]}]}"#)
        #expect(verdict(table, tenant: "acme", secret: Self.a) == .refused(.inactiveTenant))
        #expect(verdict(table, tenant: "acme", secret: Self.b) == .refused(.noKeyMatches))
    }

    @Test func `a key is accepted from not_before to not_after, to the second`() throws {
        let times = #","not_before":"2026-11-24T01:00:00+01:00","not_after":"2026-11-25t00:00:00z""#
        let table = try parse(#"{"tenants":[{"id":"acme","keys":[\#(key("1", Self.a, times))]}]}"#)
        let start = 1_795_478_400
        for (now, expected) in [
            (start - 1, Verdict.refused(.keyNotYetValid)), (start, .accepted(key: 0)),
            (start + 86_400, .accepted(key: 0)), (start + 86_401, .refused(.keyExpired)),
        ] {
            #expect(verdict(table, tenant: "acme", secret: Self.a, at: now) == expected)
        }
        // Only whoever knows the secret is told apart.
        #expect(verdict(table, tenant: "acme", secret: Self.b, at: 0) == .refused(.noKeyMatches))
    }

    @Test func `a secret that a tenant has twice is accepted in the times of either key`() throws {
        let early = key("1", Self.a, #","not_after":"2026-11-24T00:00:00Z""#)
        let late = key("2", Self.a, #","not_before":"2026-11-25T00:00:00Z""#)
        let day = 1_795_478_400
        for (keys, first, second) in [("\(early),\(late)", 0, 1), ("\(late),\(early)", 1, 0)] {
            let table = try parse(#"{"tenants":[{"id":"acme","keys":[\#(keys)]}]}"#)
            #expect(verdict(table, tenant: "acme", secret: Self.a, at: day) == .accepted(key: first))
            #expect(verdict(table, tenant: "acme", secret: Self.a, at: day + 86_400) == .accepted(key: second))
        }
    }

    @Test(arguments: [
        (#"{}"#, "tenants: expected at least one"), (#"{"tenants":[]}"#, "tenants: expected at least one"),
        (#"{"tenants":{}}"#, "tenants: expected an array"), (#"{"tenants":[5]}"#, "tenants[0]: expected an object"),
        (#"{"tenant":[]}"#, "tenant: unknown member"), (#"{"tenants":[],"tenants":[]}"#, "tenants: occurs twice"),
        (#"{"tenants":[{"id":"acme"}]}"#, "tenants[0].keys: expected 1 to 8 keys, or a sender for the tenant"),
        (#"{"tenants":[{"id":"ACME","keys":[K]}]}"#, "tenants[0].id: expected 1 to 100 of a-z, 0-9 and -"),
        (#"{"tenants":[{"keys":[K]}]}"#, "tenants[0].id: expected 1 to 100 of a-z, 0-9 and -"),
        (#"{"tenants":[{"id":7,"keys":[K]}]}"#, "tenants[0].id: expected a string"),
        (#"{"tenants":[{"id":"acme","keys":[K],"active":"yes"}]}"#, "tenants[0].active: expected true or false"),
        (#"{"tenants":[{"id":"acme","keys":K}]}"#, "tenants[0].keys: expected an array"),
        (#"{"tenants":[{"id":"acme","keys":["x"]}]}"#, "tenants[0].keys[0]: expected an object"),
        (#"{"tenants":[{"id":"acme","keys":[K],"key":[]}]}"#, "tenants[0].key: unknown member"),
        (
            #"{"tenants":[{"id":"acme","keys":[K],"hunter2 !":[]}]}"#,
            "tenants[0].(a member of another name): unknown member"
        ),
        (
            #"{"tenants":[{"id":"acme","keys":[K],"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":[]}]}"#,
            "tenants[0].(a member of another name): unknown member"
        ),
        (#"{"tenants":[{"id":"acme","keys":[K,K]}]}"#, "tenants[0].keys[1].id: another key of this tenant has it"),
        (
            #"{"tenants":[{"id":"acme","keys":[K]},{"id":"acme","keys":[L]}]}"#,
            "tenants[1].id: the same as tenants[0].id"
        ),
        (
            #"{"tenants":[{"id":"acme","keys":[K]},{"id":"b","keys":[K]}]}"#,
            "tenants[1].keys[0]: its secret is one of tenants[0], too"
        ),
        (#"{"tenants":[{"id":"acme","keys":[K]}"#, "unexpected end of input in line 1"),
        ("{\n\n\"tenants\":x}", "unexpected byte in line 3"),
        (#"{"tenants":[{"id":"a","id":"b"}]}"#, "duplicate key in line 1"),
    ])
    func `a fault has its place`(text: String, fault: String) throws {
        let text = text.replacing("K", with: key("1", Self.a)).replacing("L", with: key("1", Self.b))
        let told = try #require(faults(text))
        #expect(told.split(separator: "; ").contains { $0 == fault }, "\(told)")
        #expect(!told.contains("hunter2") && !told.contains("aaaa"))
    }

    @Test(arguments: [
        (#""mode":"servicedesk","secret":"A""#, "id: expected 1 to 64 of A-Z, a-z, 0-9, . _ -"),
        (#""id":"a b","mode":"servicedesk","secret":"A""#, "id: expected 1 to 64 of A-Z, a-z, 0-9, . _ -"),
        (#""id":"1","secret":"A""#, "mode: expected one of servicedesk, standard-webhooks, hmac, token, basic"),
        (
            #""id":"1","mode":"hmac2","secret":"A""#,
            "mode: expected one of servicedesk, standard-webhooks, hmac, token, basic"
        ),
        (#""id":"1","mode":"servicedesk""#, "secret: expected secret or secret_file"),
        (#""id":"1","mode":"servicedesk","secret":"A","secret_file":"x""#, "has both secret and secret_file"),
        (#""id":"1","mode":"servicedesk","secret":"hunter2""#, "secret: expected at least 32 bytes, found 7"),
        (#""id":"1","mode":"servicedesk","secret_file":"none""#, "secret_file: no such file"),
        (#""id":"1","mode":"servicedesk","secret_file":"long\u0000x""#, "secret_file: no path has a NUL character"),
        (#""id":"1","mode":"servicedesk","secret_file":"short""#, "secret_file: expected at least 32 bytes, found 7"),
        (
            #""id":"1","mode":"servicedesk","secret":"A","not_before":"today""#,
            "not_before: expected an RFC 3339 date-time with an offset"
        ),
        (
            #""id":"1","mode":"servicedesk","secret":"A","not_before":"2026-01-01T00:00:01Z","not_after":"2026-01-01T00:00:00Z""#,
            "not_after is before not_before"
        ),
        (#""id":"1","mode":"servicedesk","secret":"A","tolerance":300"#, "tolerance: is not used by mode servicedesk"),
    ])
    func `a key's fault has its place`(members: String, fault: String) throws {
        let members = members.replacing(#""A""#, with: "\"\(Self.a)\"")
        let told = try #require(faults(file(key: members), files: ["short": "hunter2"]))
        #expect(told == "tenants[0].keys[0]\(fault.contains(": ") ? "." : ": ")\(fault)", "\(told)")
        #expect(!told.contains("hunter2"))
    }

    @Test func `what is no object is one fault, and does not shift the places of what follows`() {
        let text = #"{"tenants":[7,{"id":"acme","keys":[5,\#(key("", Self.a))]}]}"#
        let told =
            "tenants[0]: expected an object; tenants[1].keys[0]: expected an object; "
            + "tenants[1].keys[1].id: expected 1 to 64 of A-Z, a-z, 0-9, . _ -"
        #expect(faults(text) == told)
    }

    @Test func `a file cut off anywhere is refused`() {
        let times = #","not_before":"2026-01-01T00:00:00Z","not_after":"2027-01-01T00:00:00Z""#
        let text = #"{"tenants":[{"id":"acme","active":true,"keys":[\#(key("1", Self.a, times))]}]}"#
        for end in 1..<text.utf8.count { #expect(faults(String(text.prefix(end))) != nil) }
        #expect(faults(text) == nil)
    }

    @Test func `a secret in quotes is accepted, with a warning`() throws {
        let quoted = "'\(Self.a)'"
        let table = try parse(#"{"tenants":[{"id":"acme","keys":[\#(key("1", quoted))]}]}"#)
        #expect(table.warnings.count == 1 && table.warnings[0].hasPrefix("tenants[0]: a secret is in quotes"))
        #expect(verdict(table, tenant: "acme", secret: quoted) == .accepted(key: 0))
    }

    @Test func `lines with a shared or a quoted secret are warned about`() throws {
        let text = utf8("a \(Self.a)\nb \(Self.b) \(Self.a)\nc \"\(Self.b)\"\nd \(Self.a)\n")
        let table = try TenantsFile.parse(text.span)
        #expect(
            table.warnings == [
                "line 3: a secret is in quotes, which are part of it; remove them if they are not meant to be",
                "line 1 and line 2, line 1 and line 4: tenants share a secret; whoever knows it can sign for all of them",
            ])
        let own = utf8("a \(Self.a) \(Self.a)\n")
        #expect(try TenantsFile.parse(own.span).warnings == [])
    }

    @Test func `changes between two tables are counted`() throws {
        func table(_ tenants: [String]) throws -> TenantTable {
            try parse(#"{"tenants":[\#(tenants.joined(separator: ","))]}"#)
        }
        func tenant(_ id: String, _ keys: [String], _ more: String = "") -> String {
            #"{"id":"\#(id)"\#(more),"keys":[\#(keys.joined(separator: ","))]}"#
        }
        let secrets = (0..<9).map { "\($0)" + Self.a }
        let old = try table([
            tenant("a", [key("1", secrets[0])]), tenant("b", [key("1", secrets[1]), key("2", secrets[2])]),
            tenant("c", [key("1", secrets[3])]),
        ])
        let new = try table([
            tenant("d", [key("1", secrets[4]), key("2", secrets[5])]),
            tenant("b", [key("2", secrets[6]), key("3", secrets[7])]),
            tenant("c", [key("1", secrets[3], #","not_after":"2027-01-01T00:00:00Z""#)], #","active":false"#),
        ])
        let expected = "tenants: 1 added, 1 removed, 1 changed; keys: 3 added, 2 removed, 2 changed"
        #expect("\(new.changes(since: old))" == expected)
        #expect(old.changes(since: old) == TenantChanges())
    }

    @Test func `any bytes are taken without a trap`() {
        let text = utf8(
            #"{"tenants":[{"id":"acme","active":true,"keys":[\#(key("1", Self.a, #","not_after":"2027-01-01T00:00:00Z""#))]}]}"#
        )
        var random = SplitMix64(seed: 5)
        for _ in 0..<4000 {
            var spoilt = text
            for _ in 0...random.below(3) {
                spoilt[random.below(spoilt.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            do throws(TenantsFileFault) {
                _ = try TenantsJSON.parse(spoilt.span) { _ in .failure(SecretReadFault(description: "x")) }
            } catch {
                #expect(!"\(error)".isEmpty)
            }
        }
    }

    @Test func `a sender's tenant_id cannot stand for another tenant than the one that it names`() {
        func file(_ value: String, _ profile: String = "") -> String {
            #"""
            {"tenants":[{"id":"acme"}],"senders":[{"id":"msp",\#(profile)"keys":[\#(key("1", Self.a))],
            "tenant_from":{"path":"tenant_id","tenants":{"\#(value)":"acme"}}}]}
            """#
        }
        #expect(faults(file("Acme")) == "senders[0].tenant_from.tenants: a tenant_id can only stand for itself")
        #expect(faults(file("acme")) == nil)
        // The payload of a profile is not a ticket.
        #expect(faults(file("Acme", #""profile":"generic","#)) == nil)
    }
}
