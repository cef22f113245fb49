import Bytes
import JSON
import TestSupport
import Testing

@testable import Webhook

/// A handler whose sender `desk` has a profile.
struct ProfileDesk {
    var desk: Desk

    /// - Parameters:
    ///   - profiles: those of the tenants file.
    ///   - route: of the sender; to the tenant acme unless another is given.
    init(_ profile: String, profiles: String = "[]", route: String = #""tenant":"acme""#, maxAge: Int = 0) {
        let text = """
            {"tenants":[{"id":"acme","keys":[{"id":"1","mode":"servicedesk","secret":"\(secret.text)-acme"}]},{"id":"globex","keys":[{"id":"1","mode":"servicedesk","secret":"\(secret.text)-globex"}]}],"profiles":\(profiles),
            "senders":[{"id":"desk","profile":"\(profile)",\(route),
            "keys":[{"id":"1","mode":"servicedesk","secret":"\(secret.text)"}]}]}
            """
        let table = try! TenantsJSON.parse(utf8(text).span) { _ in .failure(SecretReadFault(description: "")) }
        desk = Desk(Secrets(tenants: table), maxAge: maxAge)
    }

    mutating func post(_ body: String, type: String = "application/json", others: [(String, String)] = []) -> Outcome {
        desk.queue = MemoryQueue()
        return desk.handle(
            Request {
                $0.path = "/desk"
                $0.body = utf8(body)
                $0.contentType = type
                $0.others = others
            })
    }

    /// Tenant, id, priority, time and description of the job, or `reason: fault; fault`.
    mutating func result(of body: String, type: String = "application/json") -> String {
        let outcome = post(body, type: type)
        guard outcome.disposition == .queued else {
            guard case .answer(let reason) = outcome.disposition else { return "\(outcome.disposition)" }
            let faults = outcome.exchange.faults.map { $0.line.text }.joined(separator: "; ")
            return "\(reason.label): \(faults)"
        }
        let job = utf8(outcome.jobs[0])
        let names: [StaticString] = ["tenant_id", "ticket_id", "priority", "timestamp", "description"]
        return names.map { job.span.findString(named: $0, limit: 20_000)?.text(from: job.span).text ?? "-" }
            .joined(separator: " ")
    }
}
