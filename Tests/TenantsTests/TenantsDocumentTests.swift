import JSON
import TestSupport
import Testing
import Webhook

@testable import System
@testable import Tenants

/// The rules of editing the tenants file.
struct TenantsDocumentTests {
    /// 2026-11-27T09:30:00Z.
    private let now = 1_795_771_800
    private let secret = NewSecret(text: String(repeating: "s", count: 32))

    private func document(_ text: String) throws -> TenantsDocument { try TenantsDocument(utf8(text).span) }

    /// A document with one tenant that has these keys.
    private func tenant(_ keys: String...) throws -> TenantsDocument {
        try document(#"{"tenants":[{"id":"acme","keys":[\#(keys.joined(separator: ","))]}]}"#)
    }

    private func key(_ id: String, _ more: String = "", mode: String = "servicedesk") -> String {
        #"{"id":"\#(id)","mode":"\#(mode)","secret":"a-secret-of-thirty-two-bytes-\#(id)"\#(more)}"#
    }

    private func rotate(
        _ document: inout TenantsDocument, keyID: String? = nil, template: KeyTemplate? = nil, until end: Int? = nil
    ) throws -> TenantsDocument.Rotation {
        try document.rotate(.tenant, "acme", keyID: keyID, template: template, until: end, at: now) { _ in secret }
    }

    private func refusal(_ edit: () throws -> Void) -> String? {
        do {
            try edit()
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func keys(_ document: TenantsDocument) throws -> [TenantsDocument.Key] {
        try document.owner(.tenant, "acme").keys
    }

    @Test func `an edit keeps the order of all members and entries, and what it does not concern`() throws {
        var document = try document(
            #"""
            {"senders":[{"tenant":"b","keys":[\#(key("k"))],"id":"s"}],
             "tenants":[{"keys":[\#(key("2")),{"secret_file":"x","mode":"servicedesk","id":"1"}],"active":false,"id":"b"},
                        {"id":"a","keys":[\#(key("9"))]}]}
            """#)
        try document.add(.tenant, "c", keys: [KeyTemplate(mode: "servicedesk", parameters: []).key(id: "n", secret)])
        try document.change(.tenant, "a") { $0.keys += $0.keys }
        let again = try TenantsDocument(document.text.span)
        #expect(again.root.members?.map { $0.name } == ["senders", "tenants"])
        try #require(again.owners(.tenant).map(\.id) == ["b", "a", "c"])
        #expect(again.owners(.tenant)[0].tree.members?.map { $0.name } == ["keys", "active", "id"])
        #expect(again.owners(.tenant)[0].keys.map(\.id) == ["2", "1"])
        #expect(again.owners(.tenant)[0].keys[1].tree.members?.map { $0.name } == ["secret_file", "mode", "id"])
        #expect(again.owners(.sender)[0].tree.members?.map { $0.name } == ["tenant", "keys", "id"])
        #expect(again.owners(.tenant)[1].keys.map(\.id) == ["9", "9"])
    }

    @Test func `a limit is set, changed and removed, a tenant's own or the default`() throws {
        var document = try tenant(key("1"))
        let (half, five) = (RateLimit(thousandths: 500, burst: 3), RateLimit(thousandths: 5000, burst: 100))
        try document.limit(tenant: nil, to: half)
        #expect(try document.limit(of: document.owner(.tenant, "acme"))?["per_second"]?.text == utf8("0.5"))
        try document.limit(tenant: "acme", to: half)
        try document.limit(tenant: "acme", to: five)
        let again = try TenantsDocument(document.text.span)
        #expect(try again.limit(of: again.owner(.tenant, "acme"))?.text == five?.tree.text)
        #expect(try again.owner(.tenant, "acme").tree.members?.map { $0.name } == ["id", "keys", "limit"])
        try document.limit(tenant: "acme", to: nil)
        #expect(try document.limit(of: document.owner(.tenant, "acme"))?.text == half?.tree.text)
        try document.limit(tenant: nil, to: nil)
        #expect(document.text == (try tenant(key("1"))).text)
        #expect(refusal { try document.limit(tenant: "none", to: five) } == "the file has no tenant none")
    }

    @Test func `a key is called by its date, and further ones of that day are numbered`() throws {
        var document = try tenant(key("old"))
        var ids: [String] = []
        for _ in 1...3 { ids.append(try rotate(&document).key) }
        #expect(ids == ["2026-11-27", "2026-11-27-2", "2026-11-27-3"])
        #expect(try keys(document).map(\.id) == ["old"] + ids)
    }

    @Test func `a new key has the mode and the parameters of the newest, and neither its times nor its secret`() throws
    {
        var document = try tenant(
            key("next", #","not_before":"2027-01-01T00:00:00Z","header":"X-S","tolerance":60"#, mode: "hmac"),
            key("now"), key("gone", #","not_after":"2026-01-01T00:00:00Z""#, mode: "token"))
        #expect(try rotate(&document) == .init(key: "2026-11-27", model: "next", mode: "hmac", limited: []))
        let text = String(repeating: "s", count: 32)
        #expect(
            try keys(document)[3].tree.text
                == #"""
                {"id":"2026-11-27","mode":"hmac","header":"X-S","tolerance":60,"secret":"\#(text)"}
                """#.tree)
        var other = try tenant(
            key("1"), key("2", mode: "standard-webhooks"), key("3", #","not_after":"2030-01-01T00:00:00Z""#))
        #expect(try rotate(&other).model == "2")
        let token = KeyTemplate(mode: "token", parameters: [("plaintext", true)])
        #expect(
            try rotate(&other, template: token) == .init(key: "2026-11-27-2", model: nil, mode: "token", limited: []))
        #expect(try keys(other)[4].tree.members?.map { $0.name } == ["id", "mode", "plaintext", "sha256"])
    }

    @Test func `older keys end with the time that is given, unless they end before it or begin after it`() throws {
        var document = try tenant(
            key("a"), key("b", #","not_after":"2026-11-28T00:00:00Z""#),
            key("c", #","not_after":"2027-11-28T00:00:00Z""#),
            key("d", #","not_before":"2026-12-25T00:00:00Z""#))
        let rotation = try rotate(&document, until: now + 7 * 86_400)
        #expect(rotation.limited == ["a", "c"])
        let end = now + 7 * 86_400
        #expect(try keys(document).map(\.notAfter) == [end, 1_795_824_000, end, nil, nil])
        #expect(try keys(document)[0].tree["not_after"]?.string == "2026-12-04T09:30:00Z")
    }

    @Test func `what cannot be added is refused`() throws {
        var document = try tenant(key("1"))
        #expect(
            refusal { try document.add(.tenant, "acme", keys: []) }
                == "the file has the tenant acme already: `tenant rotate` adds a key")
        #expect(refusal { _ = try rotate(&document, keyID: "1") } == "the tenant acme has a key 1 already")
        for _ in 2...8 { _ = try rotate(&document) }
        #expect(
            refusal { _ = try rotate(&document) } == "the tenant acme has 8 keys, which is the limit: retire one first")
        try document.add(.tenant, "none", keys: [])
        #expect(
            refusal {
                _ = try document.rotate(.tenant, "none", keyID: nil, template: nil, until: nil, at: now) { _ in secret }
            }
                == "the tenant none has no key whose mode a new one could have: name the mode")
    }

    @Test func `the only accepted key, and one that was used within a day, are retired by force alone`() throws {
        var document = try tenant(
            key("a"), key("old", #","not_after":"2026-11-27T09:29:59Z""#),
            key("next", #","not_before":"2026-11-27T09:30:01Z""#))
        func retire(_ key: String, since: Int = 0, lastUse: Int? = nil, force: Bool = false) -> String? {
            refusal {
                try document.retire(
                    .tenant, "acme", key: key, use: .init(since: since, last: lastUse), at: now, isForced: force)
            }
        }
        #expect(
            retire("a")
                == "a is the only key of the tenant acme that is accepted now: rotate first; `tenant remove` removes the tenant"
        )
        _ = try rotate(&document)
        #expect(
            retire("a", lastUse: now - 86_399)
                == "a was used within the last day, at 2026-11-26T09:30:01Z: the sender still signs with it")
        #expect(retire("old", lastUse: now - 1) == nil)
        #expect(retire("old") == "the tenant acme has no key old")
        #expect(retire("a", lastUse: now - 86_400) == nil)
        #expect(retire("2026-11-27", lastUse: now, force: true) == nil)
        #expect(retire("next") == nil)
        #expect(try document.owner(.tenant, "acme").tree.members?.map { $0.name } == ["id"])
    }

    @Test func `a key that was watched for less than a day is retired by force alone, unless it is not accepted`()
        throws
    {
        var document = try tenant(key("a"), key("b"), key("c"), key("old", #","not_after":"2026-11-27T09:29:59Z""#))
        func retire(_ key: String, since: Int?, force: Bool = false) -> String? {
            refusal {
                try document.retire(
                    .tenant, "acme", key: key, use: since.map { .init(since: $0, last: nil) }, at: now, isForced: force)
            }
        }
        #expect(
            retire("a", since: now - 86_399)
                == """
                a may still be in use: its uses have been noted only since 2026-11-26T09:30:01Z, and there was none; try again \
                after 2026-11-27T09:30:01Z, or use --force if its sender has the new secret
                """)
        #expect(retire("a", since: now - 86_400) == nil)
        #expect(retire("b", since: now, force: true) == nil)
        #expect(retire("old", since: now) == nil)
        #expect(try keys(document).map(\.id) == ["c"])
    }

    @Test
    func
        `a tenant with an accepted key is removed by force alone, and a sender with the tenants that it alone reaches`()
        throws
    {
        var document = try document(
            #"""
            {"tenants":[{"id":"a","keys":[\#(key("1"))]},{"id":"b"},{"id":"c"},{"id":"d","active":false,"keys":[\#(key("2"))]}],
             "senders":[{"id":"s","tenant_from":{"path":"p","tenants":{"A":"a","B":"b","C":"c"}},"keys":[\#(key("3"))]},
                        {"id":"t","tenant":"c","keys":[\#(key("4"))]}]}
            """#)
        #expect(
            refusal { try document.remove(.tenant, "a", at: now, isForced: false) }
                == "the tenant a has a key that is accepted now")
        try document.remove(.tenant, "d", at: now, isForced: false)
        try document.removeSenderAndTenants("s", at: now, isForced: true)
        #expect(document.owners(.tenant).map(\.id) == ["a", "c"] && document.owners(.sender).map(\.id) == ["t"])
    }

    @Test func `lines become keys 1, 2 and 3, and what JSON cannot hold is refused`() throws {
        let (a, b) = (String(repeating: "a", count: 32), #"quote"\and-more-than-thirty-two-bytes"#)
        let text = utf8("# a comment\n\n acme\t\(a) \(b) # not a secret\nglobex \(a)-2 \n")
        let document = try TenantsDocument(lines: text.span)
        let rows = document.owners(.tenant).map { owner in
            owner.keys.map { [owner.id, $0.id, $0.mode, $0.tree["secret"]?.string ?? ""] }
        }
        #expect(
            rows == [
                [["acme", "1", "servicedesk", a], ["acme", "2", "servicedesk", b]],
                [["globex", "1", "servicedesk", "\(a)-2"]],
            ])
        let bytes = utf8("acme ") + [UInt8](repeating: 0xFF, count: 32) + utf8("\n")
        #expect(
            refusal { _ = try TenantsDocument(lines: bytes.span) }
                == "line 1: a secret is not valid UTF-8, as JSON must be: rotate it first")
        #expect(refusal { _ = try TenantsDocument(lines: utf8("acme").span) }?.contains("line 1: expected") == true)
    }

    @Test func `new secrets have the form of their mode, and are never the same`() throws {
        for mode in TenantsJSON.modeNames {
            let (one, other) = (try NewSecret.make(mode: mode), try NewSecret.make(mode: mode))
            #expect(one.text != other.text)
            #expect(one.text.hasPrefix("whsec_") == (mode == "standard-webhooks"))
            #expect(one.text.utf8.count == (mode == "standard-webhooks" ? 50 : 64))
        }
        #expect(throws: EditRefusal.self) { _ = try NewSecret(given: utf8("short"), mode: "token") }
        #expect(throws: EditRefusal.self) { _ = try NewSecret(given: [0xFF], mode: "servicedesk") }
        #expect(throws: EditRefusal.self) {
            _ = try NewSecret(given: utf8("a-string-secret-at-least-256-bits-long"), mode: "basic")
        }
    }
}

extension String {
    /// The text of a JSON object as JSONTree prints it.
    fileprivate var tree: [UInt8] { get throws { try JSONTree(Array(self.utf8).span).text } }
}
