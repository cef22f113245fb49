import Bytes
import JSON
import Webhook

/// Any bytes under each profile, as JSON and as a form: either there is a fault, or a job that has what the contract says.
/// The first byte chooses the profile and the type; the rest is the body.
@Sendable func mapping(_ bytes: [UInt8]) {
    guard let choice = bytes.first else { return }
    let body = Array(bytes.dropFirst())
    let desk = desks[Int(choice >> 1) % desks.count]
    var handler = Handler(
        secrets: Secrets(tenants: desk.table), bodyLimit: Handler.largestBody, unknownFields: .reject, maxAge: 0)
    var exchange = Exchange()
    let type = Array((choice & 1 == 0 ? "application/json" : "application/x-www-form-urlencoded").utf8)
    for (name, value) in [("REQUEST_METHOD", Array("POST".utf8)), ("CONTENT_TYPE", type)] {
        let name = Array(name.utf8)
        exchange.take(name.span, value.span, headers: handler.secrets.headers)
    }
    exchange.complete(bodyLength: body.count, random: &handler.random)
    var queue = LastJob()
    let disposition = handler.take(
        &exchange, from: Claimant(isSender: true, id: Array("desk".utf8)), body: body.span, time: time,
        request: RequestHandle(slot: 0, generation: 0), queue: &queue)
    switch disposition {
    case .queued:
        check(queue.job)
        if desk.isTemplate && choice & 1 == 0 { checkKeys(of: body) }
    case .answer(.invalidFields), .answer(.invalidJSON):
        // What is logged has none of the body's text.
        precondition(exchange.faultSummary?.utf8.contains { $0 < .space || $0 == 0x7F } == false)
    case .answer(.invalidSignature): precondition(desk.isRouted && exchange.refusalCause == .valueUnknown)
    case let other: fatalError("\(other)")
    }
}

private struct Desk: Sendable {
    let table: TenantTable
    let isTemplate: Bool
    let isRouted: Bool
}

private let time = Array("2026-11-24T10:29:24.123456Z".utf8)

/// Senders with the shipped profiles, and with others that have all that a profile can have.
private let desks: [Desk] = {
    let fields = #"""
        "event":{"path":["e","x.e"]},"ticket_id":{"path":["n","m.n"],"prefix":"SDP-"},
        "description":{"path":["t","t.u"],"html":true,"too_long":"cut","otherwise":{"path":"s","otherwise":{"value":"none"}}},
        "priority":{"path":"p","map":{"5 - Standard":"low","É":"critical"}},
        "created_at":{"path":"at","time":"epoch_milliseconds","otherwise":{"path":"at2"}},"correlation_id":{"path":"c"}
        """#
    let own = #"{"id":"open","fields":{\#(fields)}}"#
    let template = #"""
        {"id":"template","like":"sdp-cloud-template","keys":["subject","request.id","description","status","priority.name"],
        "fields":{"ticket_id":{"path":"request.id"},"priority":{"path":"priority.name"}}}
        """#
    let fixed = #""tenant":"acme""#
    let routed = #""tenant_from":{"path":"a.b","tenants":{"A & B":"acme","7":"acme"}}"#
    let shipped = MappingProfile.shippedIDs.map { ($0, fixed) }
    return (shipped + [("open", fixed), ("open", routed), ("template", fixed)]).map { profile, route in
        let text = """
            {"tenants":[{"id":"acme"}],"profiles":[\(own),\(template)],"senders":[{"id":"desk","profile":"\(profile)",
            "keys":[{"id":"1","mode":"servicedesk","secret":"a secret of at least 32 bytes, it says"}],\(route)}]}
            """
        let file = Array(text.utf8)
        guard let table = try? TenantsJSON.parse(file.span, readSecret: noSecretFile) else {
            fatalError("a fault in the file")
        }
        return Desk(
            table: table, isTemplate: profile.hasSuffix("template"), isRouted: route == routed)
    }
}()

/// The job's ticket is one that a tenant could have sent itself.
private func check(_ job: [UInt8]) {
    guard let job = try? JSONTree(job.span), let members = job.members else { fatalError("the job is not JSON") }
    precondition(job["tenant_id"]?.string == "acme")
    let names = [
        ("ticket_id", "ticket_id"), ("tenant_id", "tenant_id"), ("description", "description"),
        ("priority", "priority"), ("timestamp", "created_at"), ("correlation_id", "correlation_id"),
    ]
    let ticket: [(name: String, value: JSONTree)] = names.compactMap { name, field in
        members.first { $0.name == name }.map { (field, $0.value) }
    }
    precondition(isTicket(JSONTree.object(ticket + [("event", "e")]).text))
}

private func isTicket(_ bytes: [UInt8]) -> Bool {
    var reader = TicketReader()
    var ticket = Ticket()
    return (try? reader.read(bytes.span, into: &ticket)) != nil
}

/// A body that a template profile accepts has its five keys and no other.
private func checkKeys(of body: [UInt8]) {
    // A tree has no place for null.
    guard let tree = try? JSONTree(body.span) else { return }
    func leaves(_ tree: JSONTree) -> Int { tree.members.map { $0.reduce(0) { $0 + leaves($1.value) } } ?? 1 }
    precondition(leaves(tree) == 5)
}
