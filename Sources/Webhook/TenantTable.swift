import Bytes
import COpenSSL

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

        var id: Range<Int> { Int(idStart)..<Int(idStart) + Int(idLength) }
        var keys: Range<Int> { Int(firstKey)..<Int(firstKey) + Int(keyCount) }
    }

    private var ids: [UInt8] = []
    private var keys: [UInt8] = []
    private var entries: [Entry] = []
    /// Indices into `entries` by hash; -1 in a free bucket. The number of buckets is a power of two.
    private var buckets: [Int32] = []
    /// The most keys that a tenant has.
    private(set) var mostKeys = 1

    /// Reserves memory, so that no array grows and leaves a copy of a key behind.
    init(tenants: Int, secrets: Int, idBytes: Int) {
        ids.reserveCapacity(idBytes)
        keys.reserveCapacity(secrets * SigningKey.length)
        entries.reserveCapacity(tenants)
        var size = 8
        while size < 2 * tenants { size *= 2 }
        buckets = Array(repeating: -1, count: size)
    }

    deinit { wipe() }

    package var count: Int { entries.count }

    /// Overwrites the keys, and frees all memory. Nothing may use the table afterwards.
    package func wipe() {
        unsafe keys.withUnsafeMutableBytes { bytes in unsafe OPENSSL_cleanse(bytes.baseAddress, bytes.count) }
        (ids, keys, entries, buckets) = ([], [], [], [])
    }

    /// Adds a tenant without keys. Returns false if there is one with that id.
    func add(_ id: Span<UInt8>) -> Bool {
        let bucket = bucket(of: id)
        guard buckets[bucket] < 0 else { return false }
        buckets[bucket] = Int32(entries.count)
        entries.append(
            Entry(
                idStart: UInt32(ids.count), firstKey: UInt32(keys.count / SigningKey.length), idLength: UInt8(id.count),
                keyCount: 0))
        ids.append(id)
        return true
    }

    /// Adds a key to the tenant that was added last.
    func addKey(of secret: Span<UInt8>) {
        SigningKey.append(of: secret, to: &keys)
        entries[entries.count - 1].keyCount += 1
        mostKeys = max(mostKeys, Int(entries[entries.count - 1].keyCount))
    }

    /// The indices of a tenant's keys; none if the tenant is unknown.
    func keyIndices(of id: Span<UInt8>) -> Range<Int> {
        let entry = buckets[bucket(of: id)]
        return entry >= 0 ? entries[Int(entry)].keys : 0..<0
    }

    /// Sets a key for the tags that are computed next.
    func setKey(_ index: Int, of authenticator: Authenticator) {
        let keys = keys
        let start = index * SigningKey.length
        authenticator.setKey(keys.span.extracting(start..<start + SigningKey.length))
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
