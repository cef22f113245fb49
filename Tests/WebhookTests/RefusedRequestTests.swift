import TestSupport
import Testing

@testable import Webhook

/// What is kept of a refused request.
struct RefusedRequestTests {
    private static let tenantSecret = "tenant-0123456789abcdef0123456789abcdef"
    private static let senderSecret = "sender-0123456789abcdef0123456789abcdef"

    private func perTenant() throws -> Secrets {
        func keys(_ secret: String) -> String { #"[{"id":"2026","mode":"servicedesk","secret":"\#(secret)"}]"# }
        let text = utf8(
            #"""
            {"tenants":[{"id":"acme","keys":\#(keys(Self.tenantSecret))},{"id":"globex"}],
             "senders":[{"id":"msp","tenant_from":{"path":"account","tenants":{"G":"globex"}},"profile":"generic",
                "keys":\#(keys(Self.senderSecret))}]}
            """#)
        return Secrets(tenants: try TenantsJSON.parse(text.span) { _ in .failure(SecretReadFault(description: "")) })
    }

    /// What is kept of a request that is signed with a secret, by member; nil if its payload is not refused.
    private func kept(
        _ secrets: Secrets, _ secret: String, _ change: (inout Request) -> Void
    ) -> (members: [String: String], owner: String)? {
        var desk = Desk(secrets)
        var request = Request(change)
        request.signature = sign(request.body, with: utf8(secret))
        let outcome = desk.handle(request)
        guard case .answer(let reason) = outcome.disposition, reason.isPayloadRefusal else { return nil }
        let refused = RefusedRequest(outcome.exchange, reason, body: request.body.span, time: utf8(Desk.time))
        #expect(refused.size == refused.members.reduce(0) { $0 + $1.value.count })
        let pairs = refused.members.map { ($0.member.rawValue, $0.value.text) }
        return (Dictionary(uniqueKeysWithValues: pairs), refused.owner.text)
    }

    @Test func `a tenant's is kept with all that is known of it, and with nothing that proves it`() throws {
        let body = Payload().with("priority", "1").bytes
        let kept = try #require(
            kept(try perTenant(), Self.tenantSecret) {
                $0.body = body
                $0.others = [
                    ("HTTP_IDEMPOTENCY_KEY", "order-7"), ("HTTP_AUTHORIZATION", "Bearer visible"),
                    ("QUERY_STRING", "token=visible"), ("REMOTE_ADDR", "192.0.2.1"),
                ]
            })
        #expect(
            kept.members == [
                "time": Desk.time, "reason": "invalid_fields", "tenant": "acme", "key": "2026", "delivery": "order-7",
                "type": "json", "request_id": "0123456789abcdef", "body": body.text,
                "faults": #"[{"field":"priority","message":"must be one of low, medium, high, critical"}]"#,
            ])
        #expect(kept.owner == "acme")
    }

    @Test func `a sender's has the sender, and counts as the tenant's once that is known`() throws {
        func kept(_ body: String) throws -> (members: [String: String], owner: String) {
            try #require(
                self.kept(try perTenant(), Self.senderSecret) {
                    $0.script = "/webhook/servicedesk/msp"
                    $0.body = utf8(body)
                })
        }
        let routed = try kept(#"{"account":"G"}"#)
        #expect(routed.members["sender"] == "msp" && routed.members["tenant"] == "globex" && routed.owner == "globex")
        let broken = try kept(#"{"account""#)
        #expect(broken.members["sender"] == "msp" && broken.members["tenant"] == nil && broken.owner == "sender/msp")
        #expect(broken.members["reason"] == "invalid_json" && broken.members["body"] == #"{"account""#)
    }

    @Test func `with one secret for all nobody's tenant is proven`() throws {
        let kept = try #require(
            kept(Secrets(shared: secret), secret.text) { $0.body = Payload().without("description").bytes })
        #expect(kept.members["tenant"] == nil && kept.members["key"] == nil && kept.owner == "all/")
    }

    @Test func `a name that is no valid one is not kept`() throws {
        let kept = try #require(
            kept(try perTenant(), Self.tenantSecret) {
                $0.others = [("HTTP_WEBHOOK_ID", String(repeating: "x", count: 256))]
            })
        #expect(kept.members["reason"] == "invalid_delivery_id" && kept.members["delivery"] == nil)
    }

    @Test func `an empty body is kept`() throws {
        let kept = try #require(kept(Secrets(shared: secret), secret.text) { $0.body = [] })
        #expect(kept.members["body"] == "" && kept.members["reason"] == "invalid_json")
    }

    @Test func `a request that does not prove its sender is not kept`() throws {
        for body in [Payload().with("tenant_id", #""globex""#).bytes, utf8("{"), []] {
            #expect(kept(try perTenant(), Self.tenantSecret) { $0.body = body } == nil)
        }
        #expect(
            kept(try perTenant(), "wrong-0123456789abcdef0123456789abcdef") { $0.body = utf8(#"{"tenant_id":"acme"}"#) }
                == nil)
        #expect(
            Reason.allCases.filter(\.isPayloadRefusal) == [
                .invalidJSON, .invalidFields, .invalidDeliveryID, .staleTicket,
            ])
    }

    @Test func `the members' names are a format`() {
        #expect(
            RefusedRequest.Member.allCases.map(\.rawValue) == [
                "time", "reason", "tenant", "sender", "key", "delivery", "delivery_signed", "type", "request_id",
                "faults", "body",
            ])
    }
}
