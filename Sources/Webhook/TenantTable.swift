import Bytes
import COpenSSL

/// From when until when a key is accepted, in seconds since 1970.
struct KeyValidity: Equatable {
    var notBefore = Int.min
    var notAfter = Int.max

    /// Nil while it is accepted.
    func cause(at now: Int) -> RefusalCause? {
        now < notBefore ? .keyNotYetValid : now > notAfter ? .keyExpired : nil
    }
}

/// The tenants and their signing keys, in a few arrays however many tenants there are.
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
        /// Whether its keys are accepted.
        var isActive: Bool

        var id: Range<Int> { Int(idStart)..<Int(idStart) + Int(idLength) }
        var keys: Range<Int> { Int(firstKey)..<Int(firstKey) + Int(keyCount) }
    }

    /// What is known of a key beside its bytes.
    private struct KeyEntry {
        var idStart: UInt32
        var idLength: UInt8
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
    /// The most keys that a tenant has.
    private(set) var mostKeys = 1
    /// Whether the file was JSON.
    package let isJSON: Bool
    /// What an operator should know about the file, though it can be used.
    package internal(set) var warnings: [String] = []

    /// Reserves memory, so that no array grows and leaves a copy of a key behind.
    init(tenants: Int, secrets: Int, idBytes: Int, isJSON: Bool) {
        self.isJSON = isJSON
        ids.reserveCapacity(idBytes)
        keys.reserveCapacity(secrets * SigningKey.length)
        keyEntries.reserveCapacity(secrets)
        entries.reserveCapacity(tenants)
        var size = 8
        while size < 2 * tenants { size *= 2 }
        buckets = Array(repeating: -1, count: size)
    }

    deinit { wipe() }

    package var count: Int { entries.count }
    package var keyCount: Int { keyEntries.count }

    /// Overwrites the keys, and frees all memory. Nothing may use the table afterwards.
    package func wipe() {
        unsafe keys.withUnsafeMutableBytes { bytes in unsafe OPENSSL_cleanse(bytes.baseAddress, bytes.count) }
        (ids, keys, entries, keyEntries, buckets) = ([], [], [], [], [])
    }

    /// Adds a tenant without keys. Returns false if there is one with that id.
    func add(_ id: Span<UInt8>, isActive: Bool = true) -> Bool {
        let bucket = bucket(of: id)
        guard buckets[bucket] < 0 else { return false }
        buckets[bucket] = Int32(entries.count)
        entries.append(
            Entry(
                idStart: UInt32(ids.count), firstKey: UInt32(keyEntries.count), idLength: UInt8(id.count), keyCount: 0,
                isActive: isActive))
        ids.append(id)
        return true
    }

    /// Adds a key to the tenant that was added last.
    func addKey(of secret: Span<UInt8>, id: Span<UInt8>, validity: KeyValidity = KeyValidity()) {
        SigningKey.append(of: secret, to: &keys)
        keyEntries.append(KeyEntry(idStart: UInt32(ids.count), idLength: UInt8(id.count), validity: validity))
        ids.append(id)
        entries[entries.count - 1].keyCount += 1
        mostKeys = max(mostKeys, Int(entries[entries.count - 1].keyCount))
    }

    /// The indices of a tenant's keys, and whether they are accepted; nil if the tenant is unknown.
    func keys(of id: Span<UInt8>) -> (indices: Range<Int>, areActive: Bool)? {
        let entry = buckets[bucket(of: id)]
        guard entry >= 0 else { return nil }
        return (entries[Int(entry)].keys, entries[Int(entry)].isActive)
    }

    func validity(ofKey index: Int) -> KeyValidity { keyEntries[index].validity }

    package func id(ofKey index: Int) -> [UInt8] { Array(ids[keyEntries[index].id]) }

    /// Sets a key for the tags that are computed next.
    func setKey(_ index: Int, of authenticator: Authenticator) {
        let keys = keys
        let start = index * SigningKey.length
        authenticator.setKey(keys.span.extracting(start..<start + SigningKey.length))
    }

    /// Hands out each tenant: its id, whether its keys are accepted, and their indices.
    func forEachTenant(_ body: (Span<UInt8>, Bool, Range<Int>) -> Void) {
        let ids = ids
        for entry in entries { body(ids.span.extracting(entry.id), entry.isActive, entry.keys) }
    }

    /// Whether a key has the same secret and times as one of another table.
    func isKey(_ index: Int, equalTo other: Int, of table: TenantTable) -> Bool {
        let (keys, others) = (keys, table.keys)
        let (start, otherStart) = (index * SigningKey.length, other * SigningKey.length)
        return keyEntries[index].validity == table.keyEntries[other].validity
            && keys[start..<start + SigningKey.length] == others[otherStart..<otherStart + SigningKey.length]
    }

    /// The bucket that holds the tenant, or the free one that would.
    private func bucket(of id: Span<UInt8>) -> Int {
        // Seeded at random in each process: nobody can choose ids that collide.
        var hasher = Hasher()
        unsafe id.withUnsafeBytes { bytes in unsafe hasher.combine(bytes: bytes) }
        var bucket = hasher.finalize() & (buckets.count - 1)
        let ids = ids
        while buckets[bucket] >= 0 {
            if ids.span.extracting(entries[Int(buckets[bucket])].id).equals(id) { break }
            bucket = (bucket + 1) & (buckets.count - 1)
        }
        return bucket
    }
}
