import Bytes
import JSON
import Redis
import Webhook

/// A request that was refused and kept.
struct QuarantineEntry {
    let id: [UInt8]
    private let members: [RefusedRequest.Member: [UInt8]]

    init(_ entry: QuarantineService.Entry) {
        id = entry.id
        var members: [RefusedRequest.Member: [UInt8]] = [:]
        for member in RefusedRequest.Member.allCases { members[member] = entry[member.rawValue] }
        self.members = members
    }

    /// Whether text is an id of a stream's entry, of one entry alone.
    static func isID(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isDigit) }
    }

    subscript(member: RefusedRequest.Member) -> String? {
        members[member].map { String(decoding: $0, as: UTF8.self) }
    }

    var body: [UInt8] { members[.body] ?? [] }
    /// Nil if its sender gave it no name.
    var delivery: [UInt8]? { members[.delivery].flatMap { $0.isEmpty ? nil : $0 } }
    var isDeliverySigned: Bool { self[.isDeliverySigned] == "true" }
    var isForm: Bool { self[.type] == "form" }

    /// Nil if they are not what the responder writes.
    private var faults: [JSONTree]? {
        // What is read is an object.
        let text = Array(#"{"faults":"#.utf8) + (members[.faults] ?? Array("[]".utf8)) + [UInt8(ascii: "}")]
        do throws(JSONFault) { return try JSONTree(text.span)["faults"]?.elements } catch { return nil }
    }

    /// Id, time, tenant, sender, reason and the first fault, with a tab after each but the last.
    var summary: [UInt8] {
        let fault = faults?.first.map { "\($0["field"]?.string ?? ""): \($0["message"]?.string ?? "")" }
        let columns = [self[.time], self[.tenant], self[.sender], self[.reason], fault].map { text in
            text.map { TerminalText.column(Array($0.utf8)) } ?? [UInt8(ascii: "-")]
        }
        return Array(([id] + columns).joined(separator: [.tab]))
    }

    /// One object on one line.
    func json(withBody: Bool) -> [UInt8] {
        var json = Array(#"{"id":"#.utf8)
        json.append(jsonString: id.span)
        for member in RefusedRequest.Member.allCases where withBody || member != .body {
            guard let value = members[member] else { continue }
            json.append(",")
            json.append(jsonString: member.rawValue)
            json.append(":")
            switch member {
            case .faults where faults != nil: json.append(value.span)
            case .isDeliverySigned: json.append(isDeliverySigned ? "true" : "false")
            default: json.append(jsonString: String(decoding: value, as: UTF8.self))
            }
        }
        json.append("}")
        return json
    }
}
