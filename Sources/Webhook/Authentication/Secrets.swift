import Bytes
import JSON

/// Who a request claims to be from. Only the key proves it.
package struct Claimant {
    /// Whether it is the sender that the path names, rather than the tenant that the payload names.
    package private(set) var isSender = false
    package var id: [UInt8] = []

    package init() {}

    package init(isSender: Bool, id: [UInt8]) {
        self.isSender = isSender
        self.id = id
    }

    /// It is a tenant, not yet known.
    mutating func beginTenant() {
        isSender = false
        id.clear()
    }
}

/// The keys of those who may send: one secret for all tenants, or some for each tenant and sender.
package struct Secrets {
    /// Bytes of a secret, at least: as many as the tag has.
    package static let minimumLength = 32

    private let shared: Authenticator?
    private let sharedMode = ServiceDeskMode()
    package let tenants: TenantTable?
    private let modes: KeyModes
    /// A random key, for the rounds in which there is none to check.
    private var decoy: [UInt8] = []
    private let authenticator = Authenticator()
    /// What the request under way presents, in the order of `modes`.
    private var credentials: [Credential] = []

    /// One secret for all tenants.
    package init(shared secret: [UInt8]) {
        self.init(shared: Authenticator(key: secret.span), tenants: nil)
    }

    /// Keys of each tenant; more than one while they are being changed.
    package init(tenants: TenantTable) {
        self.init(shared: nil, tenants: tenants)
    }

    private init(shared: Authenticator?, tenants: TenantTable?) {
        self.shared = shared
        self.tenants = tenants
        modes = tenants?.modes ?? .servicedesk
        var random = RandomSource()
        let secret = (0..<Secrets.minimumLength).map { _ in random.next() }
        SigningKey.append(of: secret.span, to: &decoy)
    }

    /// Whether the tenant must be found in the body before the signature can be checked.
    package var arePerTenant: Bool { tenants != nil }

    package var haveSenders: Bool { tenants.map { $0.senderCount > 0 } ?? false }

    /// The headers that a credential may be in.
    package var headers: HeaderNames { modes.headers }

    /// HMACs computed so far.
    var tagCount: Int { authenticator.count + (shared?.count ?? 0) }
    /// Bytes that they are of.
    var tagBytes: Int { authenticator.byteCount + (shared?.byteCount ?? 0) }

    /// Checks whether a request is its claimed sender's, by what it presents.
    ///
    /// The work depends on the kinds of credentials that the request presents, on the length of its body, and on how many
    /// keys the tenant or sender with most of them has, and never on who is claimed to have sent it: each round computes
    /// one HMAC if any signature is presented, and a second one that makes up for its length if those presented are of
    /// different lengths.
    ///
    /// - Parameter now: seconds since 1970.
    package mutating func check(
        _ headers: CredentialHeaders, of body: Span<UInt8>, from claimant: Claimant, at now: Int
    ) -> Verdict {
        if let shared { return check(headers, of: body, under: shared) }
        let presented = present(in: headers, at: now)
        guard presented.isAny else { return .refused(.headerMissing) }
        guard presented.isWellFormed else { return .refused(.headerMalformed) }
        guard let tenants else { return .refused(.noKeyMatches) }
        let owner = tenants.owner(claimant.id.span, isSender: claimant.isSender)
        let match = match(of: owner?.keys ?? 0..<0, in: tenants, body, presented, headers, at: now)
        guard let owner else { return .refused(claimant.isSender ? .unknownSender : .unknownTenant) }
        guard let match else { return .refused(whyNone(of: owner, in: tenants)) }
        guard owner.isActive else { return .refused(claimant.isSender ? .inactiveSender : .inactiveTenant) }
        if let cause = match.cause { return .refused(cause) }
        return .accepted(key: match.key)
    }

    /// The plain path: one secret, one mode.
    private func check(_ headers: CredentialHeaders, of body: Span<UInt8>, under shared: Authenticator) -> Verdict {
        guard let tag = sharedMode.tag(in: headers) else { return .refused(.headerMissing) }
        guard let tag else { return .refused(.headerMalformed) }
        return areEqual(shared.tag(of: body), tag) ? .accepted(key: nil) : .refused(.noKeyMatches)
    }

    private struct Presented {
        var isAny = false
        var isWellFormed = false
        /// What an HMAC is computed of in a round without a key for it.
        var signature: PresentedSignature?
        /// The most bytes that any signature is of beside the body, and the fewest.
        var longest = 0
        var shortest = Int.max
    }

    private mutating func present(in headers: CredentialHeaders, at now: Int) -> Presented {
        var presented = Presented()
        credentials.clear()
        for mode in modes.modes {
            let credential = mode.credential(in: headers, at: now)
            credentials.append(credential)
            switch credential {
            case .absent: continue
            case .malformed: break
            case .signature(let signature):
                presented.isWellFormed = true
                if presented.signature == nil { presented.signature = signature }
                presented.longest = max(presented.longest, signature.extraBytes)
                presented.shortest = min(presented.shortest, signature.extraBytes)
            case .token: presented.isWellFormed = true
            }
            presented.isAny = true
        }
        return presented
    }

    /// The key that one of the credentials proves, and why it is not accepted if it is not.
    private func match(
        of keys: Range<Int>, in tenants: TenantTable, _ body: Span<UInt8>, _ presented: Presented,
        _ headers: CredentialHeaders, at now: Int
    ) -> (key: Int, cause: RefusalCause?)? {
        var match: (key: Int, cause: RefusalCause?)?
        for round in 0..<tenants.mostKeys {
            let key = keys.lowerBound + round
            let credential = round < keys.count ? credentials[tenants.mode(ofKey: key)] : .absent
            var isMatch = false
            var isStale = false
            if case .signature(let signature) = credential {
                tenants.setKey(key, of: authenticator)
                isMatch = signature.isValid(for: body, by: authenticator)
                isStale = signature.isStale
                makeUp(for: signature, among: presented)
            } else if let signature = presented.signature {
                authenticator.setKey(decoy.span)
                _ = signature.isValid(for: body, by: authenticator)
                makeUp(for: signature, among: presented)
            }
            if case .token(let digest) = credential { isMatch = areEqual(digest, tenants.digest(ofKey: key)) }
            guard isMatch else { continue }
            let isExposed = !headers.isEncrypted && !modes.traits[tenants.mode(ofKey: key)].isAcceptedInClear
            let cause =
                tenants.validity(ofKey: key).cause(at: now) ?? (isStale ? .stale : isExposed ? .notEncrypted : nil)
            // A tenant may have a secret twice, with different times: any of them will do.
            if match == nil || cause == nil { match = (key, cause) }
        }
        return match
    }

    /// Computes an HMAC of as many bytes as the longest signature is of more than this one.
    private func makeUp(for signature: PresentedSignature, among presented: Presented) {
        guard presented.shortest < presented.longest else { return }
        let filler = [UInt8](repeating: 0, count: presented.longest - signature.extraBytes)
        _ = authenticator.tag(of: filler.span)
    }

    /// Why none of its keys matches.
    private func whyNone(of owner: TenantTable.Owner, in tenants: TenantTable) -> RefusalCause {
        var cause = RefusalCause.modeNotAccepted
        for key in owner.keys {
            switch credentials[tenants.mode(ofKey: key)] {
            case .signature, .token: return .noKeyMatches
            case .malformed: cause = .headerMalformed
            case .absent: break
            }
        }
        return cause
    }
}

/// Where the ticket of an authenticated sender belongs.
enum Routing {
    case tenant(TicketSender)
    case refused(RefusalCause)
    case notJSON(JSONFault)
}

extension Secrets {
    /// How a sender's payloads are mapped; nil if they are not.
    func profile(of sender: Claimant) -> MappingProfile? {
        guard let tenants, tenants.hasProfiles, let owner = tenants.owner(sender.id.span, isSender: true) else {
            return nil
        }
        return tenants.profile(of: owner)
    }

    /// Whether all of a sender's tickets belong to one tenant.
    func hasFixedTenant(_ sender: Claimant) -> Bool {
        guard let tenants, let owner = tenants.owner(sender.id.span, isSender: true),
            case .tenant? = tenants.route(of: owner)
        else { return false }
        return true
    }

    /// The tenant that a ticket of a sender belongs to.
    func route(_ body: Span<UInt8>, of claimant: Claimant) -> Routing {
        guard let tenants, let owner = tenants.owner(claimant.id.span, isSender: true),
            let route = tenants.route(of: owner)
        else { return .refused(.unknownSender) }
        let sender: TicketSender
        switch route {
        case .tenant(let id): sender = TicketSender(tenantID: id)
        case .value(let path, let tenantIDs):
            let value: [UInt8]?
            do throws(JSONFault) { value = try path.text(in: body) } catch { return .notJSON(error) }
            guard let value, let id = tenantIDs[value] else { return .refused(.valueUnknown) }
            sender = TicketSender(tenantID: id, routingMember: path.keys[0])
        }
        let tenant = sender.tenantID
        let isActive = tenants.owner(tenant.span, isSender: false)?.isActive == true
        return isActive ? .tenant(sender) : .refused(.inactiveTenant)
    }
}

/// The outcome of checking a request's credentials.
package enum Verdict: Equatable {
    /// With the key at that index; nil for the secret that all share.
    case accepted(key: Int?)
    case refused(RefusalCause)
}
