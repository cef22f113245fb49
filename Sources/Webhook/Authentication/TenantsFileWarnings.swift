import Bytes

/// What is odd about the secrets of a tenants file, though it can be used. Like a fault, a warning names neither tenants
/// nor secrets.
struct TenantsFileWarnings {
    /// Warnings of one kind that are reported, at most.
    private static let limit = 5

    private var quoted: [String] = []
    private var quotedCount = 0
    /// The secrets of lines, as 64-bit hashes, which take less memory: a file may have hundreds of thousands of secrets.
    private var secrets: [(hash: Int, line: UInt32)] = []

    mutating func reserve(secrets count: Int) { secrets.reserveCapacity(count) }

    /// Notes a secret of a line.
    mutating func look(at secret: Span<UInt8>, line: Int) {
        lookForQuotes(in: secret, at: "line \(line)")
        var hasher = Hasher()
        unsafe secret.withUnsafeBytes { bytes in unsafe hasher.combine(bytes: bytes) }
        secrets.append((hasher.finalize(), UInt32(truncatingIfNeeded: line)))
    }

    mutating func lookForQuotes(in secret: Span<UInt8>, at place: @autoclosure () -> String) {
        guard secret.standsInQuotes else { return }
        quotedCount += 1
        if quoted.count < TenantsFileWarnings.limit { quoted.append(place()) }
    }

    /// All warnings, a line for each kind.
    mutating func tell() -> [String] {
        var told: [String] = []
        if quotedCount > 0 {
            let places = TenantsFileWarnings.list(quoted, of: quotedCount)
            told.append(
                "\(places): a secret is in quotes, which are part of it; remove them if they are not meant to be")
        }
        let (pairs, count) = sharingLines()
        if count > 0 {
            let places = TenantsFileWarnings.list(pairs, of: count)
            told.append("\(places): tenants share a secret; whoever knows it can sign for all of them")
        }
        return told
    }

    /// The pairs of lines that have a secret in common, in the order of the file, and how many there are.
    private mutating func sharingLines() -> (pairs: [String], count: Int) {
        secrets.sort { ($0.hash, $0.line) < ($1.hash, $1.line) }
        var pairs: [(first: UInt32, second: UInt32)] = []
        var first = 0
        for index in secrets.indices.dropFirst() {
            if secrets[index].hash != secrets[first].hash { first = index }
            // A tenant may have a secret twice.
            if secrets[index].line != secrets[index - 1].line && index != first {
                pairs.append((secrets[first].line, secrets[index].line))
            }
        }
        pairs.sort { ($0.second, $0.first) < ($1.second, $1.first) }
        let shown = pairs.prefix(TenantsFileWarnings.limit).map { "line \($0.first) and line \($0.second)" }
        return (shown, pairs.count)
    }

    private static func list(_ places: [String], of count: Int) -> String {
        let more = count > places.count ? " and \(count - places.count) more" : ""
        return "\(places.joined(separator: ", "))\(more)"
    }
}

extension Span<UInt8> {
    /// Whether it begins and ends with the same kind of quotation mark, as `docker --env-file` keeps them.
    package var standsInQuotes: Bool {
        count >= 2 && self[0] == self[count - 1] && (self[0] == .quote || self[0] == UInt8(ascii: "'"))
    }
}
