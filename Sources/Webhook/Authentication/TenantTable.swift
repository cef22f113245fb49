import Bytes
package import JSON

/// From when until when a key is accepted, in seconds since 1970.
package struct KeyValidity: Equatable, Sendable {
    package var notBefore = Int.min
    package var notAfter = Int.max

    /// Nil while it is accepted.
    package func cause(at now: Int) -> RefusalCause? {
        now < notBefore ? .keyNotYetValid : now > notAfter ? .keyExpired : nil
    }
}

/// To which tenant a sender's tickets belong.
package enum SenderRoute: Equatable, Sendable {
    case tenant([UInt8])
    /// The one that a value in the payload stands for.
    case value(at: JSONPath, tenants: [[UInt8]: [UInt8]])
}

/// The tenants and senders with their keys, in a few arrays however many there are.
///
/// A table is made, and wiped, off the loop; in between it is only read.
package final class TenantTable: @unchecked Sendable {
    /// 32 bits are enough: the text of a table has fewer bytes than they can count.
    private struct Entry {
        var idStart: UInt32
        /// The first of its keys.
        var firstKey: UInt32
        var idLength: UInt8
        var keyCount: UInt8
        var isSender: Bool
        /// Whether its keys are accepted.
        var isActive: Bool
        var limit: RateLimit?

        var id: Range<Int> { Int(idStart)..<Int(idStart) + Int(idLength) }
        var keys: Range<Int> { Int(firstKey)..<Int(firstKey) + Int(keyCount) }
    }

    /// What is known of a key beside its bytes.
    private struct KeyEntry {
        var idStart: UInt32
        var idLength: UInt8
        var mode: UInt8
        var validity: KeyValidity

        var id: Range<Int> { Int(idStart)..<Int(idStart) + Int(idLength) }
    }

    /// The ids of tenants and keys.
    private var ids: [UInt8] = []
    private var keys: [UInt8] = []
    private var entries: [Entry] = []
    private var keyEntries: [KeyEntry] = []
    /// Indices into `entries` by hash; -1 in a free bucket. The number of buckets is a power of two.
    private var buckets: [Int32] = []
    /// By their indices in `entries`.
    private var routes: [Int: SenderRoute] = [:]
    private var profiles: [Int: MappingProfile] = [:]
    /// The most keys that a tenant or a sender has.
    private(set) var mostKeys = 1
    let modes: KeyModes
    /// Whether the file was JSON.
    package let isJSON: Bool
    /// Tells the file from others; 0 if it is not known.
    package var fileDigest = 0
    /// What an operator should know about the file, though it can be used.
    package internal(set) var warnings: [String] = []

    /// Reserves memory, so that no array grows and leaves a copy of a key behind.
    ///
    /// - Parameter owners: tenants and senders.
    init(owners: Int, keys keyCount: Int, idBytes: Int, modes: KeyModes, isJSON: Bool) {
        self.isJSON = isJSON
        self.modes = modes
        ids.reserveCapacity(idBytes)
        keys.reserveCapacity(keyCount * SigningKey.length)
        keyEntries.reserveCapacity(keyCount)
        entries.reserveCapacity(owners)
        var size = 8
        while size < 2 * owners { size *= 2 }
        buckets = Array(repeating: -1, count: size)
    }

    deinit { wipe() }

    /// Tenants.
    package var count: Int { entries.count - routes.count }
    package var senderCount: Int { routes.count }
    package var keyCount: Int { keyEntries.count }

    /// Overwrites the keys, and frees all memory. Nothing may use the table afterwards.
    package func wipe() {
        keys.wipe()
        (ids, keys, entries, keyEntries, buckets, routes, profiles) = ([], [], [], [], [], [:], [:])
    }

    /// Adds a tenant without keys. Returns false if there is one with that id.
    func addTenant(_ id: Span<UInt8>, isActive: Bool = true, limit: RateLimit? = nil) -> Bool {
        guard add(id, isActive: isActive, isSender: false) else { return false }
        entries[entries.count - 1].limit = limit
        return true
    }

    /// Adds a sender without keys. Returns false if there is one with that id.
    func addSender(_ id: Span<UInt8>, isActive: Bool, route: SenderRoute, profile: MappingProfile? = nil) -> Bool {
        guard add(id, isActive: isActive, isSender: true) else { return false }
        routes[entries.count - 1] = route
        profiles[entries.count - 1] = profile
        return true
    }

    private func add(_ id: Span<UInt8>, isActive: Bool, isSender: Bool) -> Bool {
        let bucket = bucket(of: id, isSender: isSender)
        guard buckets[bucket] < 0 else { return false }
        buckets[bucket] = Int32(entries.count)
        entries.append(
            Entry(
                idStart: UInt32(ids.count), firstKey: UInt32(keyEntries.count), idLength: UInt8(id.count), keyCount: 0,
                isSender: isSender, isActive: isActive))
        ids.append(id)
        return true
    }

    /// Adds a key to the tenant or sender that was added last.
    func addKey(_ key: Span<UInt8>, id: Span<UInt8>, mode: Int = 0, validity: KeyValidity = KeyValidity()) {
        SigningKey.append(of: key, to: &keys)
        keyEntries.append(
            KeyEntry(idStart: UInt32(ids.count), idLength: UInt8(id.count), mode: UInt8(mode), validity: validity))
        ids.append(id)
        entries[entries.count - 1].keyCount += 1
        mostKeys = max(mostKeys, Int(entries[entries.count - 1].keyCount))
    }

    /// Who claims to have sent a request: the keys that may prove it.
    struct Owner {
        fileprivate let index: Int
        let keys: Range<Int>
        /// Whether the keys are accepted.
        let isActive: Bool
    }

    /// The tenant or sender with an id; nil if it is unknown.
    func owner(_ id: Span<UInt8>, isSender: Bool) -> Owner? {
        let index = buckets[bucket(of: id, isSender: isSender)]
        guard index >= 0 else { return nil }
        let entry = entries[Int(index)]
        return Owner(index: Int(index), keys: entry.keys, isActive: entry.isActive)
    }

    /// Whether it may send; false for a tenant or sender that the table does not have.
    package func isActive(_ claimant: Claimant) -> Bool {
        owner(claimant.id.span, isSender: claimant.isSender)?.isActive == true
    }

    package func hasSender(_ id: [UInt8]) -> Bool { owner(id.span, isSender: true) != nil }

    /// A tenant that may make only so many requests.
    package struct LimitedTenant {
        /// By which its allowance is known.
        package let index: Int
        package let limit: RateLimit
    }

    /// The tenant with an id, if it has a limit.
    func limitedTenant(_ id: Span<UInt8>) -> LimitedTenant? {
        let index = buckets[bucket(of: id, isSender: false)]
        guard index >= 0, let limit = entries[Int(index)].limit else { return nil }
        return LimitedTenant(index: Int(index), limit: limit)
    }

    /// All tenants with a limit, each with a digest of its id.
    package func limitedTenants() -> [(index: Int, digest: Tag)] {
        let ids = ids
        return entries.indices.compactMap { index in
            guard entries[index].limit != nil else { return nil }
            return (index, Webhook.digest(of: ids.span.extracting(entries[index].id)))
        }
    }

    func limit(of owner: Owner) -> RateLimit? { entries[owner.index].limit }

    /// Where a sender's tickets go; nil for a tenant.
    func route(of owner: Owner) -> SenderRoute? { routes[owner.index] }

    var hasProfiles: Bool { !profiles.isEmpty }

    /// How a sender's payloads are mapped; nil if they are the contract's.
    func profile(of owner: Owner) -> MappingProfile? { profiles[owner.index] }

    package func profile(ofSender id: [UInt8]) -> MappingProfile? {
        owner(id.span, isSender: true).flatMap { profile(of: $0) }
    }

    func mode(ofKey index: Int) -> Int { Int(keyEntries[index].mode) }

    func provenKey(_ index: Int) -> ProvenKey {
        let traits = modes.traits[mode(ofKey: index)]
        return ProvenKey(
            index: index, id: id(ofKey: index), mode: traits.name, signsBody: traits.signsBody,
            signsDeliveryID: traits.signsDeliveryID)
    }

    func validity(ofKey index: Int) -> KeyValidity { keyEntries[index].validity }

    package func id(ofKey index: Int) -> [UInt8] { Array(ids[keyEntries[index].id]) }

    /// Sets a key for the tags that are computed next.
    func setKey(_ index: Int, of authenticator: Authenticator) {
        let keys = keys
        let start = index * SigningKey.length
        authenticator.setKey(keys.span.extracting(start..<start + SigningKey.length))
    }

    /// The digest of a token.
    func digest(ofKey index: Int) -> Tag {
        let start = index * SigningKey.length
        return Tag { keys[start + $0] }
    }

    /// Hands out each tenant and sender.
    func forEachOwner(_ body: (_ id: Span<UInt8>, _ isSender: Bool, Owner) -> Void) {
        let ids = ids
        for (index, entry) in entries.enumerated() {
            let owner = Owner(index: index, keys: entry.keys, isActive: entry.isActive)
            body(ids.span.extracting(entry.id), entry.isSender, owner)
        }
    }

    /// All keys, each with a digest of what it is called, and whether its tenant or sender has others.
    package func namedKeys() -> [(key: Int, digest: Tag, isOneOfSeveral: Bool)] {
        var found: [(key: Int, digest: Tag, isOneOfSeveral: Bool)] = []
        found.reserveCapacity(keyCount)
        forEachOwner { id, isSender, owner in
            let id = [UInt8](copying: id)
            for key in owner.keys {
                let digest = TenantTable.digest(isSender: isSender, owner: id, key: self.id(ofKey: key))
                found.append((key, digest, owner.keys.count > 1))
            }
        }
        return found
    }

    /// Tells the secret of a key from others.
    package func secretMark(ofKey index: Int) -> UInt64 {
        let keys = keys
        let start = index * SigningKey.length
        return Webhook.digest(of: keys.span.extracting(start..<start + SigningKey.length)).span.word(at: 0)
    }

    /// A digest of what a key is called.
    package static func digest(isSender: Bool, owner: [UInt8], key: [UInt8]) -> Tag {
        let name = Array((isSender ? "sender" : "tenant").utf8) + [0] + owner + [0] + key
        return Webhook.digest(of: name.span)
    }

    /// A digest of a file's content, from 1 to 2⁶³ - 1.
    package static func fileDigest(of content: Span<UInt8>) -> Int {
        let digest = Webhook.digest(of: content)
        return max(Int(digest.span.word(at: 0) >> 1), 1)
    }

    /// Whether a key has the same secret, mode and times as one of another table.
    func isKey(_ index: Int, equalTo other: Int, of table: TenantTable) -> Bool {
        let (keys, others) = (keys, table.keys)
        let (start, otherStart) = (index * SigningKey.length, other * SigningKey.length)
        return keyEntries[index].validity == table.keyEntries[other].validity
            && modes.parameters[mode(ofKey: index)] == table.modes.parameters[table.mode(ofKey: other)]
            && keys[start..<start + SigningKey.length] == others[otherStart..<otherStart + SigningKey.length]
    }

    /// The bucket that holds the tenant or sender, or the free one that would.
    private func bucket(of id: Span<UInt8>, isSender: Bool) -> Int {
        // Seeded at random in each process: nobody can choose ids that collide.
        var hasher = Hasher()
        hasher.combine(isSender)
        unsafe id.withUnsafeBytes { bytes in unsafe hasher.combine(bytes: bytes) }
        var bucket = hasher.finalize() & (buckets.count - 1)
        let ids = ids
        while buckets[bucket] >= 0 {
            let entry = entries[Int(buckets[bucket])]
            if entry.isSender == isSender && ids.span.extracting(entry.id).equals(id) { break }
            bucket = (bucket + 1) & (buckets.count - 1)
        }
        return bucket
    }
}
