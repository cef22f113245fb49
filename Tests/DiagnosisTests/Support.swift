import Diagnosis
import Webhook

let secret = "correct-horse-battery-staple-0001"

/// The time of the tests, in seconds since 1970: 2026-11-27T09:30:00Z.
let now = 1_795_771_800

/// A tenants file with one tenant, acme, whose one key has these members.
struct OneTenant {
    let secrets: Secrets
    let keys: [HeldKey]

    init(_ key: String) throws {
        let text = Array(#"{"tenants": [{"id": "acme", "keys": [{"id": "1", \#(key)}]}]}"#.utf8)
        let table = try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "")) }
        secrets = Secrets(tenants: table)
        keys = try TenantsJSON.heldKeys(text.span) { _ in .failure(SecretReadFault(description: "")) }
    }

    /// Explains a request with the headers with which the key's holder would send `signed`.
    func explain(_ body: [UInt8], signed: [UInt8]? = nil, isEncrypted: Bool = false) throws -> Diagnosis {
        let fields = try keys[0].headers(
            signing: signed ?? body, as: OutgoingMessage(id: Array("msg_1".utf8), time: now))
        let request = try SavedRequest(head: head(fields), body: body, path: nil, isEncrypted: isEncrypted)
        return Diagnosis(request, secrets: secrets, keys: keys, now: now)
    }

    /// Explains a request with these headers.
    func explain(_ body: [UInt8], head: String) throws -> Diagnosis {
        let request = try SavedRequest(head: Array(head.utf8), body: body, path: nil, isEncrypted: false)
        return Diagnosis(request, secrets: secrets, keys: keys, now: now)
    }
}

/// A tenants file with one sender, desk, that delivers for acme with payloads of a shipped profile.
struct OneSender {
    private let secrets: Secrets
    private let keys: [HeldKey]

    init(profile: String) throws {
        let key = #"{"id": "1", "mode": "servicedesk", "secret": "\#(secret)"}"#
        let text = Array(
            #"{"tenants": [{"id": "acme"}], "senders": [{"id": "desk", "tenant": "acme", "profile": "\#(profile)", "keys": [\#(key)]}]}"#
                .utf8)
        let table = try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "")) }
        secrets = Secrets(tenants: table)
        keys = try TenantsJSON.heldKeys(text.span) { _ in .failure(SecretReadFault(description: "")) }
    }

    /// Explains a request with the signature of `signed`.
    func explain(_ body: [UInt8], type: String, signed: [UInt8]) throws -> Diagnosis {
        let fields = try keys[0].headers(signing: signed, as: OutgoingMessage(id: Array("msg_1".utf8), time: now))
        let request = try SavedRequest(
            head: head(fields + [HeaderField("Content-Type", Array(type.utf8))]), body: body,
            path: "/webhook/servicedesk/desk", isEncrypted: false)
        return Diagnosis(request, secrets: secrets, keys: keys, now: now)
    }
}

private func head(_ fields: [HeaderField]) -> [UInt8] {
    fields.flatMap { Array("\($0.name): ".utf8) + $0.value + Array("\r\n".utf8) }
}

/// A ticket of acme.
func ticket(_ description: String = "no mail") -> [UInt8] {
    Array(
        #"{"event":"ticket_created","ticket_id":"TKT-1","tenant_id":"acme","description":"\#(description)","priority":"low","created_at":"2026-11-27T09:29:58Z"}"#
            .utf8)
}
