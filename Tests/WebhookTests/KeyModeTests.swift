import Foundation
import TestSupport
import Testing

@testable import Webhook

/// Published vectors at the verifier, and what each mode refuses.
struct KeyModeTests {
    /// Another time than that of any vector: one that is stale is known as such only once its signature is right.
    private static let now = 1_795_478_400

    // MARK: Vectors

    private struct File: Decodable { let cases: [Case] }
    private struct Case: Decodable {
        let comment: String
        let key: String?
        let keyHex: String?
        let data: String?
        let dataHex: String?
        let hmacSha256Hex: String
        let truncatedToBits: Int?
        let secret: String?
        let timestamp: String?
        let body: String?
        let signature: String?
        let headers: [String: String]?
        let superseded: Bool?

        var keyBytes: [UInt8] { key.map { utf8($0) } ?? [UInt8](hex: keyHex ?? "") }
        var dataBytes: [UInt8] { data.map { utf8($0) } ?? [UInt8](hex: dataHex ?? "") }
    }

    private static func vectors(_ name: String) throws -> Data {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try Data(contentsOf: folder.appending(path: "vectors/\(name).json"))
    }

    private static func cases(_ name: String) throws -> [Case] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(File.self, from: vectors(name)).cases
    }

    @Test(arguments: ["rfc4231", "github", "jira", "zoho-deluge", "zendesk", "glpi", "standard-webhooks"])
    func `an HMAC is the published one`(file: String) throws {
        let cases = try Self.cases(file)
        try #require(!cases.isEmpty)
        for vector in cases {
            let tag = bytes(of: authenticator(vector.keyBytes).tag(of: vector.dataBytes.span)).hex
            #expect(tag.prefix((vector.truncatedToBits ?? 256) / 4) == vector.hmacSha256Hex, "\(vector.comment)")
        }
    }

    private struct Wycheproof: Decodable {
        struct Group: Decodable {
            let tagSize: Int
            let tests: [Vector]
        }
        struct Vector: Decodable {
            let tcId: Int
            let key: String
            let msg: String
            let tag: String
            let result: String
        }
        let testGroups: [Group]
    }

    @Test func `Wycheproof's tags are accepted if they are valid, and refused if they are not`() throws {
        let file = try JSONDecoder().decode(Wycheproof.self, from: Self.vectors("wycheproof-hmac-sha256"))
        var count = (accepted: 0, refused: 0)
        for group in file.testGroups where group.tagSize == 256 {
            for vector in group.tests {
                let secret = [UInt8](hex: vector.key)
                let body = [UInt8](hex: vector.msg)
                var secrets = Secrets(shared: secret)
                let headers = secrets.presented([("X-ServiceDesk-Signature", vector.tag)])
                let verdict = secrets.check(headers, of: body.span, from: Claimant(), at: 0)
                let isValid = vector.result == "valid"
                #expect(verdict == (isValid ? .accepted(key: nil) : .refused(.noKeyMatches)), "case \(vector.tcId)")
                if isValid { count.accepted += 1 } else { count.refused += 1 }
            }
        }
        #expect(count.accepted > 30 && count.refused > 50)
    }

    /// The verdict of a mode on a vector's headers and body, with the vector's key.
    private func verdict(
        _ mode: String, _ texts: [ModeParameters.Member: String] = [:], tolerance: Int? = nil, key: [UInt8],
        _ headers: [(String, String)], body: String, at now: Int = now, isEncrypted: Bool = true
    ) throws -> Verdict {
        var modes = KeyModes()
        var faults: [ModeFault] = []
        var parameters = ModeParameters(mode: mode)
        parameters.texts = texts
        parameters.tolerance = tolerance
        let index = try #require(modes.add(parameters, &faults), "\(faults)")
        let table = TenantTable(owners: 1, keys: 1, idBytes: 5, modes: modes, isJSON: true)
        let names = (tenant: utf8("acme"), key: utf8("1"), body: utf8(body))
        _ = table.addTenant(names.tenant.span)
        table.addKey(key.span, id: names.key.span, mode: index)
        var secrets = Secrets(tenants: table)
        return secrets.check(
            secrets.presented(headers, isEncrypted: isEncrypted), of: names.body.span,
            from: Claimant(isSender: false, id: names.tenant), at: now)
    }

    @Test func `Standard Webhooks' example is accepted within 300 s, and stale outside`() throws {
        let vector = try #require(try Self.cases("standard-webhooks").first { $0.headers?["webhook-id"] != nil })
        let headers = try #require(vector.headers).map { ($0.key, $0.value) }
        let body = try #require(vector.body)
        let time = try #require(vector.timestamp.flatMap { Int($0) })
        let secret = utf8(try #require(vector.secret))
        let key = try StandardWebhooksMode.material(of: KeySecret(text: secret)).bytes
        #expect(key == [UInt8](hex: vector.keyHex ?? ""))
        for (now, expected) in [
            (time, Verdict.accepted(key: 0)), (time + 300, .accepted(key: 0)), (time - 300, .accepted(key: 0)),
            (time + 301, .refused(.stale)), (time - 301, .refused(.stale)),
        ] {
            #expect(try verdict("standard-webhooks", key: key, headers, body: body, at: now) == expected)
        }
        #expect(
            try verdict("standard-webhooks", key: key, headers, body: body + " ", at: time) == .refused(.noKeyMatches))
        for name in ["webhook-id", "webhook-timestamp"] {
            let fewer = headers.filter { $0.0 != name }
            #expect(
                try verdict("standard-webhooks", key: key, fewer, body: body, at: time) == .refused(.headerMalformed))
            let others = headers.map { $0.0 == name ? ($0.0, $0.1 + "1") : $0 }
            let refusal = try verdict("standard-webhooks", key: key, others, body: body, at: time)
            #expect(refusal == .refused(.noKeyMatches))
        }
    }

    @Test(arguments: [
        ("github", [ModeParameters.Member.header: "X-Hub-Signature-256", .prefix: "sha256="]),
        ("jira", [.header: "X-Hub-Signature", .prefix: "sha256="]),
        (
            "zendesk",
            [
                .header: "X-Zendesk-Webhook-Signature", .encoding: "base64", .signed: "timestamp-body",
                .timestampHeader: "X-Zendesk-Webhook-Signature-Timestamp", .timestampFormat: "rfc3339",
            ]
        ),
        (
            "glpi",
            [.header: "X-GLPI-signature", .signed: "body-timestamp", .timestampHeader: "X-GLPI-timestamp"]
        ),
    ])
    func `what a help desk sends is accepted by the mode that describes it`(
        file: String, texts: [ModeParameters.Member: String]
    ) throws {
        var count = 0
        for vector in try Self.cases(file) {
            guard let headers = vector.headers else {
                #expect(vector.superseded == true)
                continue
            }
            count += 1
            let fields = headers.map { ($0.key, $0.value) }
            let body = try #require(vector.body ?? vector.data)
            let time = vector.timestamp.map { text in
                SignedTime.allCases.compactMap { $0.seconds(of: utf8(text).span) }.first ?? 0
            }
            for (key, body, expected) in [
                (vector.keyBytes, body, Verdict.accepted(key: 0)),
                (vector.keyBytes, body + "\n", .refused(.noKeyMatches)),
                (vector.keyBytes + [0x20], body, .refused(.noKeyMatches)),
            ] {
                #expect(try verdict("hmac", texts, key: key, fields, body: body, at: time ?? 0) == expected)
            }
            guard let time else { continue }
            #expect(
                try verdict("hmac", texts, key: vector.keyBytes, fields, body: body, at: time + 301) == .refused(.stale)
            )
            let patient = try verdict(
                "hmac", texts, tolerance: 86_400, key: vector.keyBytes, fields, body: body, at: time + 86_400)
            #expect(patient == .accepted(key: 0))
        }
        #expect(count > 0)
    }

    @Test func `both of Zoho's examples are accepted as a Deluge function sends them, in base64 or hex`() throws {
        for vector in try Self.cases("zoho-deluge") {
            let tag = [UInt8](hex: vector.hmacSha256Hex)
            for (encoding, text) in [("base64", base64Encoded(tag).text), ("hex", tag.hex)] {
                let verdict = try verdict(
                    "hmac", [.header: "X-Deluge-Signature", .encoding: encoding], key: vector.keyBytes,
                    [("X-Deluge-Signature", text)], body: try #require(vector.data))
                #expect(verdict == .accepted(key: 0))
            }
        }
    }

    // MARK: Forms

    @Test(arguments: [
        ("hmac", "sha256=" + String(repeating: "a", count: 63)), ("hmac", String(repeating: "a", count: 64)),
        ("hmac", "sha1=" + String(repeating: "a", count: 40)), ("hmac", "sha256=" + String(repeating: "g", count: 64)),
        ("standard-webhooks", "v1,"), ("standard-webhooks", "v1,AAAA"), ("standard-webhooks", "v2,x"),
        ("standard-webhooks", "v1," + String(repeating: "A", count: 42) + "B="),
    ])
    func `a signature in another form is malformed`(mode: String, value: String) throws {
        let headers = [
            ("X-Sig", value), ("webhook-signature", value), ("webhook-id", "msg"), ("webhook-timestamp", "\(Self.now)"),
        ]
        let texts: [ModeParameters.Member: String] = mode == "hmac" ? [.header: "X-Sig", .prefix: "sha256="] : [:]
        #expect(try verdict(mode, texts, key: secret, headers, body: "{}") == .refused(.headerMalformed))
    }

    @Test(arguments: [
        ("unix", "0", true), ("unix", "1795478400", true), ("unix", "99999999999", true),
        ("unix", "123456789012", false),
        ("unix", "-1", false), ("unix", "+1", false), ("unix", "1.0", false), ("unix", "1e9", false),
        ("unix", "0x10", false),
        ("unix", "", false), ("unix", "1 2", false), ("unix", "2026-11-24T00:00:00Z", false),
        ("rfc3339", "2026-11-24T00:00:00Z", true), ("rfc3339", "2026-11-24T00:00:00.123+01:00", true),
        ("rfc3339", "2026-11-24", false), ("rfc3339", "2026-11-24 00:00:00Z", false), ("rfc3339", "1795478400", false),
        ("rfc3339", "2026-02-30T00:00:00Z", false),
    ])
    func `a signed time has exactly its form`(form: String, text: String, isTime: Bool) {
        let bytes = utf8(text)
        #expect((SignedTime(rawValue: form)?.seconds(of: bytes.span) != nil) == isTime)
    }

    @Test(arguments: [
        "", "A", "AA", "AAA", "AA==", "AAE=", "AAECAw==", "AA=", "AB==", "A===", "====", "AAAA\n", " AAAA", "AA A",
        "AAAA====", "AA-_",
        "AAAAAA==AAAA", "é===",
    ])
    func `base64 is decoded if it is what encoding gives, and refused otherwise`(text: String) {
        let expected: [UInt8]? = Data(base64Encoded: text).flatMap {
            $0.base64EncodedString() == text ? [UInt8]($0) : nil
        }
        #expect(base64Decoded(utf8(text)) == expected)
    }

    @Test func `bytes of any length survive base64`() {
        for length in 0..<200 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            #expect(base64Decoded(base64Encoded(bytes)) == bytes)
            #expect(base64Encoded(bytes).text == Data(bytes).base64EncodedString())
        }
    }

    @Test func `a value longer than any credential is malformed, and cut`() throws {
        for value in [String(repeating: "x", count: 100_000), "Bearer " + String(repeating: "x", count: 1025)] {
            let verdict = try verdict(
                "token", key: secret, [("Authorization", value.hasPrefix("B") ? value : "Bearer " + value)], body: "{}")
            #expect(verdict == .refused(.headerMalformed))
        }
    }

    // MARK: Work

    @Test func `each check computes as many HMACs for one tenant as for another, known or not`() throws {
        func key(_ id: String, _ mode: String, _ character: Character) -> String {
            #"{"id":"\#(id)","mode":\#(mode),"secret":"\#(String(repeating: character, count: 40))"}"#
        }
        let hub = #""hmac","header":"X-Hub-Signature-256","prefix":"sha256=""#
        let text = utf8(
            #"""
            {"tenants":[
              {"id":"many","keys":[\#(key("1", #""servicedesk""#, "a")),\#(key("2", hub, "b")),\#(key("3", #""token""#, "c"))]},
              {"id":"one","keys":[\#(key("1", #""servicedesk""#, "d"))]},
              {"id":"token","keys":[\#(key("1", #""token""#, "e"))]},
              {"id":"off","active":false,"keys":[\#(key("1", #""servicedesk""#, "f"))]}],
             "senders":[{"id":"desk","tenant":"one","keys":[\#(key("1", #""servicedesk""#, "g"))]}]}
            """#)
        let table = try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "")) }
        var secrets = Secrets(tenants: table)
        let body = utf8("body")
        let tag = String(repeating: "0", count: 64)
        for (headers, expected) in [
            ([("X-ServiceDesk-Signature", tag)], 3), ([("X-Hub-Signature-256", "sha256=" + tag)], 3),
            ([("X-ServiceDesk-Signature", tag), ("X-Hub-Signature-256", "sha256=" + tag)], 3),
            ([("X-ServiceDesk-Signature", tag), ("Authorization", "Bearer " + tag)], 3),
            ([("Authorization", "Bearer " + tag)], 0), ([("X-ServiceDesk-Signature", "x")], 0), ([], 0),
        ] {
            for claimant in ["many", "one", "token", "off", "nobody", ""].map({
                Claimant(isSender: false, id: utf8($0))
            })
                + ["desk", "nobody", "many"].map({ Claimant(isSender: true, id: utf8($0)) })
            {
                let before = secrets.tagCount
                let verdict = secrets.check(secrets.presented(headers), of: body.span, from: claimant, at: Self.now)
                #expect(secrets.tagCount - before == expected, "\(headers) \(claimant)")
                if case .accepted = verdict { Issue.record("accepted: \(claimant)") }
            }
        }
    }

    @Test func `with signatures of different lengths, each check computes HMACs of as many bytes for any tenant`()
        throws
    {
        let secret = String(decoding: base64Encoded([UInt8](repeating: 9, count: 32)), as: UTF8.self)
        let text = utf8(
            #"""
            {"tenants":[
              {"id":"plain","keys":[{"id":"1","mode":"servicedesk","secret":"\#(String(repeating: "a", count: 40))"}]},
              {"id":"standard","keys":[{"id":"1","mode":"standard-webhooks","secret":"whsec_\#(secret)"}]}]}
            """#)
        let table = try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "")) }
        var secrets = Secrets(tenants: table)
        let headers = secrets.presented([
            ("X-ServiceDesk-Signature", String(repeating: "0", count: 64)),
            ("webhook-id", String(repeating: "x", count: 2000)), ("webhook-timestamp", "\(Self.now)"),
            (
                "webhook-signature",
                "v1," + String(decoding: base64Encoded([UInt8](repeating: 0, count: 32)), as: UTF8.self)
            ),
        ])
        let body = utf8("body")
        var work: Set<[Int]> = []
        for tenant in ["plain", "standard", "nobody"] {
            let before = (secrets.tagCount, secrets.tagBytes)
            _ = secrets.check(
                headers, of: body.span, from: Claimant(isSender: false, id: utf8(tenant)), at: Self.now)
            work.insert([secrets.tagCount - before.0, secrets.tagBytes - before.1])
        }
        #expect(work.count == 1, "\(work)")
    }

    // MARK: The tenants file

    @Test(arguments: [
        (#""mode":"hmac","secret":"K""#, "header: expected the name of a header"),
        (
            #""mode":"hmac","header":"X_Sig","secret":"K""#,
            "header: expected 1 to 50 letters, digits and - (no underscore)"
        ),
        (#""mode":"hmac","header":"X","encoding":"base32","secret":"K""#, "encoding: expected one of hex, base64"),
        (
            #""mode":"hmac","header":"X","signed":"id","secret":"K""#,
            "signed: expected one of body, timestamp-body, body-timestamp"
        ),
        (
            #""mode":"hmac","header":"X","tolerance":5,"secret":"K""#,
            "tolerance: is used only where a timestamp is signed"
        ),
        (
            #""mode":"hmac","header":"X","signed":"timestamp-body","secret":"K""#,
            "timestamp_header: expected the name of a header"
        ),
        (
            #""mode":"hmac","header":"X","signed":"timestamp-body","timestamp_header":"T","tolerance":0,"secret":"K""#,
            "tolerance: expected 1 to 604800 seconds"
        ),
        (#""mode":"hmac","header":"X","tolerance":"5","secret":"K""#, "tolerance: expected a whole number"),
        (
            #""mode":"hmac","header":"X","prefix":"\n","secret":"K""#,
            "prefix: expected at most 32 printable ASCII characters"
        ),
        (#""mode":"hmac","header":"X","sha256":"00","secret":"K""#, "sha256: is not used by mode hmac"),
        (#""mode":"hmac","header":"X","user":"x","secret":"K""#, "user: is not used by mode hmac"),
        (#""mode":"hmac","header":"X","plaintext":true,"secret":"K""#, "plaintext: is not used by mode hmac"),
        (#""mode":"standard-webhooks","secret":"K""#, "secret: expected whsec_ and 24 to 64 bytes in base64"),
        (#""mode":"standard-webhooks","secret":"whsec_AAAA""#, "secret: expected whsec_ and 24 to 64 bytes in base64"),
        (#""mode":"token","secret":"short""#, "secret: expected 32 to 1024 visible ASCII characters"),
        (#""mode":"token","sha256":"00""#, "sha256: expected 64 hexadecimal digits"),
        (#""mode":"token""#, "secret: expected secret, secret_file or sha256"),
        (#""mode":"token","secret":"K","sha256":"00""#, "sha256: has a secret beside it: keep only one"),
        (#""mode":"basic","secret":"K""#, "user: expected 1 to 255 bytes without control characters and colons"),
        (
            #""mode":"basic","user":"a:b","secret":"K""#,
            "user: expected 1 to 255 bytes without control characters and colons"
        ),
        (
            #""mode":"standard-webhooks","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw""#,
            "secret: is a published example: anyone knows it"
        ),
        (
            #""mode":"servicedesk","secret":"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw""#,
            "secret: is a published example: anyone knows it"
        ),
    ])
    func `a fault of a mode has its place`(members: String, fault: String) {
        let members = members.replacing(#""K""#, with: "\"\(String(repeating: "k", count: 32))\"")
        let text = utf8(#"{"tenants":[{"id":"acme","keys":[{"id":"1",\#(members)}]}]}"#)
        do throws(TenantsFileFault) {
            _ = try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "")) }
            Issue.record("no fault")
        } catch {
            #expect("\(error)".split(separator: "; ").contains { $0 == "tenants[0].keys[0].\(fault)" }, "\(error)")
        }
    }

    private struct Published: Decodable { let secret: String }

    @Test func `no published secret can be a key, in lines or JSON`() throws {
        for row in try JSONDecoder().decode([Published].self, from: Self.vectors("published-secrets")) {
            let secret = utf8(row.secret)
            #expect(PublishedSecrets.contain(secret), "\(row.secret)")
            let line = utf8("acme \(row.secret)\n")
            #expect(throws: TenantsFileFault.self) { _ = try TenantsFile.parse(line.span) }
        }
    }

    @Test(arguments: [
        // By its digest, without the prefix of Standard Webhooks, and as the key that is behind that prefix.
        #""token","sha256":"\#(bytes(of: digest(of: utf8("a-string-secret-at-least-256-bits-long").span)).hex)""#,
        #""basic","user":"desk","sha256":"\#(bytes(of: digest(of: utf8("your-super-secret-jwt-token-with-at-least-32-characters-long").span)).hex)""#,
        #""servicedesk","secret":"C2FVsBQIhrscChlQIMV+b5sSYspob7oD""#,
        #""standard-webhooks","secret":"whsec_dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==""#,
    ])
    func `no published secret can be a key in another form`(members: String) {
        let text = utf8(#"{"tenants":[{"id":"acme","keys":[{"id":"1","mode":\#(members)}]}]}"#)
        do throws(TenantsFileFault) {
            _ = try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "")) }
            Issue.record("no fault")
        } catch {
            #expect("\(error)".hasSuffix(": is a published example: anyone knows it"), "\(error)")
        }
    }

    @Test func `two tenants cannot have a secret in common in two modes, either`() {
        let secret = "whsec_" + String(decoding: base64Encoded([UInt8](repeating: 9, count: 32)), as: UTF8.self)
        let digest = bytes(of: digest(of: utf8(secret).span)).hex
        for other in [#""servicedesk","secret":"\#(secret)""#, #""token","sha256":"\#(digest)""#] {
            let text = utf8(
                #"""
                {"tenants":[{"id":"a","keys":[{"id":"1","mode":"standard-webhooks","secret":"\#(secret)"}]},
                {"id":"b","keys":[{"id":"1","mode":\#(other)}]}]}
                """#)
            do throws(TenantsFileFault) {
                _ = try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "")) }
                Issue.record("no fault")
            } catch {
                #expect("\(error)" == "tenants[1].keys[0]: its secret is one of tenants[0], too")
            }
        }
    }
}
