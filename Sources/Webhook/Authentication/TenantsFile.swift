import Bytes

/// What is wrong with a tenants file, in all of its lines.
package struct TenantsFileFault: Error, Equatable, CustomStringConvertible {
    /// Faults that are listed; the rest are counted.
    private static let limit = 5

    private var told: [String] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func add(_ fault: String) {
        count += 1
        if told.count < TenantsFileFault.limit { told.append(fault) }
    }

    /// One line that names neither tenants nor secrets.
    package var description: String {
        let rest = count - told.count
        let more = rest > 0 ? ["and \(rest) more fault\(rest == 1 ? "" : "s")"] : []
        return (told + more).joined(separator: "; ")
    }
}

/// The text of a tenants file: a line for each tenant, its id and its secrets with white space between them, `#` before
/// a comment.
package enum TenantsFile {
    /// Secrets of one tenant.
    package static let secretLimit = 3
    /// Bytes of a file, also as JSON, at most: 100,000 tenants with two secrets have room.
    package static let sizeLimit = 67_108_864

    /// Reads the text.
    package static func parse(_ text: Span<UInt8>) throws(TenantsFileFault) -> TenantTable {
        var faults = TenantsFileFault()
        if let fault = beginning(of: text) {
            faults.add(fault)
            throw faults
        }
        var size = (tenants: 0, secrets: 0, idBytes: 0)
        forEachLine(of: text) { number, id, secrets in
            check(number, id, secrets, in: text, &faults)
            size.tenants += 1
            size.secrets += secrets.count
            size.idBytes += id.count
        }
        if size.tenants == 0 {
            faults.add("the file has no tenants")
        } else if text[text.count - 1] != .lineFeed {
            faults.add("the last line does not end with a line feed: the file may be truncated")
        }
        guard faults.isEmpty else { throw faults }
        let table = TenantTable(
            owners: size.tenants, keys: size.secrets, idBytes: size.idBytes, modes: .servicedesk, isJSON: false)
        var warnings = TenantsFileWarnings()
        warnings.reserve(secrets: size.secrets)
        forEachLine(of: text) { number, id, secrets in
            guard table.addTenant(text.extracting(id)) else { return faults.add("line \(number): duplicate tenant") }
            for (index, secret) in secrets.enumerated() {
                warnings.look(at: text.extracting(secret), line: number)
                table.addKey(text.extracting(secret), id: Array("\(index + 1)".utf8).span)
            }
        }
        guard faults.isEmpty else { throw faults }
        table.warnings = warnings.tell()
        return table
    }

    /// Why a text that was taken for lines, since its first byte is not `{`, is neither lines nor JSON.
    private static func beginning(of text: Span<UInt8>) -> String? {
        if text.hasPrefix("\u{FEFF}") { return "the file begins with a byte-order mark: save it without one" }
        let brace = text.indices.first { !Array(" \t\r\n".utf8).contains(text[$0]) }
        return brace.map { text[$0] == UInt8(ascii: "{") } == true ? "JSON must begin with { as the first byte" : nil
    }

    private static func check(
        _ number: Int, _ id: Range<Int>, _ secrets: [Range<Int>], in text: Span<UInt8>, _ faults: inout TenantsFileFault
    ) {
        if !Ticket.isTenantID(text.extracting(id)) {
            faults.add("line \(number): expected a tenant id of 1 to \(Field.tenantID.limit) of a-z, 0-9 and -")
        } else if !(1...secretLimit).contains(secrets.count) {
            let count = secrets.count > secretLimit ? "more" : "none"
            faults.add("line \(number): expected 1 to \(secretLimit) secrets, found \(count)")
        } else if secrets.contains(where: { $0.count < Secrets.minimumLength }) {
            faults.add("line \(number): expected secrets of at least \(Secrets.minimumLength) bytes")
        } else if secrets.contains(where: { PublishedSecrets.contain([UInt8](copying: text.extracting($0))) }) {
            faults.add("line \(number): a secret is \(PublishedSecrets.fault)")
        }
    }

    /// Calls `body` for each line that is neither empty nor a comment, with its number and the ranges of its id and its
    /// secrets: at most one secret more than allowed.
    package static func forEachLine(of text: Span<UInt8>, _ body: (Int, Range<Int>, [Range<Int>]) -> Void) {
        var number = 1
        var index = 0
        var words: [Range<Int>] = []
        while index < text.count {
            words.clear()
            var isComment = false
            while index < text.count && text[index] != .lineFeed {
                let start = index
                if text[index].isSpaceInLine {
                    index += 1
                    continue
                }
                while index < text.count && text[index] != .lineFeed && !text[index].isSpaceInLine { index += 1 }
                isComment = isComment || text[start] == UInt8(ascii: "#")
                if !isComment && words.count < secretLimit + 2 { words.append(start..<index) }
            }
            if let id = words.first { body(number, id, Array(words.dropFirst())) }
            index += 1
            number += 1
        }
    }
}

extension UInt8 {
    fileprivate var isSpaceInLine: Bool { self == .space || self == .tab || self == .carriageReturn }
}
