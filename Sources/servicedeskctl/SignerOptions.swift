import ArgumentParser
import Bytes
import Tenants
import Webhook

/// Whose key signs, and what a request has beside its body.
struct SignerOptions: ParsableArguments {
    @OptionGroup var tenants: TenantsPathOption
    @Option(help: "Use a key of this tenant of the tenants file.", completion: .ids(of: .tenant)) var tenant: String?
    @Option(help: "Use a key of this sender of the tenants file.", completion: .ids(of: .sender)) var sender: String?
    @Option(help: "The id of the key (default: the first that is accepted now).") var key: String?
    @Option(help: "The delivery's id, for the header webhook-id (default: a new one if the mode signs it).")
    var deliveryID: String?
    @Option(help: "The signed time: seconds since 1970, or an RFC 3339 date-time (default: now).")
    var timestamp: String?

    var namesOwner: Bool { tenant != nil || sender != nil }

    func validate() throws {
        guard tenant == nil || sender == nil else { throw ValidationError("give --tenant or --sender, not both") }
        guard namesOwner || key == nil && tenants.tenantsFile == nil else {
            throw ValidationError("--tenants-file and --key need --tenant or --sender")
        }
        _ = try time()
        guard let deliveryID else { return }
        let limit = Exchange.deliveryIDLimit
        guard (1...limit).contains(deliveryID.utf8.count), deliveryID.utf8.allSatisfy(\.isVisibleASCII) else {
            throw ValidationError("--delivery-id expects 1 to \(limit) visible ASCII characters")
        }
    }

    /// Seconds since 1970; nil: now.
    private func time() throws -> Int? {
        guard let timestamp else { return nil }
        let text = Array(timestamp.utf8)
        if let seconds = text.span.decimal, seconds <= Timestamp.lastSecond { return seconds }
        guard Timestamp.isDateTime(text.span) else {
            throw ValidationError(
                "--timestamp expects seconds since 1970, or an RFC 3339 date-time with an offset, such as 2026-12-31T23:59:59Z"
            )
        }
        return Timestamp.seconds(of: text.span)
    }

    /// The key of SERVICEDESK_SECRET, unless a tenant or a sender is named.
    func signer() throws -> Signer {
        Signer(
            key: namesOwner ? try heldKey() : .shared(try Environment.secret()),
            deliveryID: deliveryID.map { Array($0.utf8) }, time: try time())
    }

    private func heldKey() throws -> HeldKey {
        let (kind, id) = tenant.map { (OwnerKind.tenant, $0) } ?? (.sender, sender ?? "")
        let store = try tenants.store()
        let keys = try store.keyRing().keys(of: kind, id)
        guard let first = keys.first else {
            throw SigningFailure(description: "\(store.path) has no \(kind) \(id) with keys of its own")
        }
        if !first.isOwnerActive { StandardStreams.complain("warning: the \(kind) \(id) is inactive") }
        let now = TenantCommands.now
        if let key {
            guard let named = keys.first(where: { $0.id.elementsEqual(key.utf8) }) else {
                throw SigningFailure(description: "the \(kind) \(id) has no key \(key)")
            }
            if let cause = named.validity.cause(at: now) { StandardStreams.complain("warning: \(cause.label)") }
            return named
        }
        guard let accepted = keys.first(where: { $0.validity.cause(at: now) == nil }) else {
            throw SigningFailure(
                description:
                    "no key of the \(kind) \(id) is accepted now: to use one of them anyway, name it with --key")
        }
        return accepted
    }
}

/// Why nothing was signed.
struct SigningFailure: Error, CustomStringConvertible {
    let description: String
}

/// Signs bodies with one key.
struct Signer {
    let key: HeldKey
    let deliveryID: [UInt8]?
    /// Seconds since 1970; nil: at each signature, now.
    let time: Int?
    private var random = RandomSource()

    init(key: HeldKey, deliveryID: [UInt8]?, time: Int?) {
        self.key = key
        self.deliveryID = deliveryID
        self.time = time
    }

    /// The headers with which the key's holder sends a body.
    mutating func headers(signing body: [UInt8]) throws -> [HeaderField] {
        var id = deliveryID ?? Array("msg_".utf8)
        if deliveryID == nil { UUID(from: &random).append(to: &id) }
        var fields: [HeaderField]
        do throws(ModeFault) {
            fields = try key.headers(signing: body, as: OutgoingMessage(id: id, time: time ?? TenantCommands.now))
        } catch {
            throw SigningFailure(
                description: "key \(String(decoding: key.id, as: UTF8.self)) cannot be used: \(error.text)")
        }
        if let deliveryID, !fields.contains(where: { $0.name == "webhook-id" }) {
            fields.append(HeaderField("webhook-id", deliveryID))
        }
        return fields
    }
}
