import Bytes
import JSON
import System
import Tenants
import Webhook

/// Valid tickets, each with an id of its own.
struct SampleTicket {
    /// What says whose ticket it is.
    private let members: [(name: String, value: JSONTree)]
    /// Tells the tickets of this run from those of others.
    private let run: String
    private var count = 0

    /// For a tenant, or for the secret that all share.
    init(tenant: String) { self.init(members: [("tenant_id", .string(tenant))]) }

    /// For a sender of the tenants file.
    init(sender: TenantsDocument.Owner) {
        guard let from = sender.tree["tenant_from"], let path = from["path"]?.string,
            let value = from["tenants"]?.members?.first?.name
        else {
            self.init(members: [])
            return
        }
        let keys = path.split(separator: ".").map { String($0) }
        let tree = keys.dropFirst().reversed().reduce(JSONTree.string(value)) { .object([($1, $0)]) }
        self.init(members: [(keys[0], tree)])
    }

    private init(members: [(name: String, value: JSONTree)]) {
        self.members = members
        var random = RandomSource()
        let bytes = (0..<4).map { _ in random.next() }
        run = String(decoding: hexadecimal(bytes.span), as: UTF8.self).uppercased()
    }

    mutating func next() -> [UInt8] {
        count += 1
        let ticket: [(name: String, value: JSONTree)] = [
            ("event", "ticket_created"), ("ticket_id", "SAMPLE-\(run)-\(count)"),
            ("description", "A sample ticket of servicedeskctl"), ("priority", "low"),
            ("created_at", .string(Timestamp.text(TenantCommands.now))),
        ]
        return JSONTree.object(ticket + members).text
    }
}
