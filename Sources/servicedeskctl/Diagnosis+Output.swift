import Diagnosis
import JSON
import Webhook

extension Diagnosis {
    /// Lines for a reader. They may hold text of the request.
    var text: String {
        var lines = [isAccepted ? "accepted: \(parties)" : "not accepted: \(verdict)"]
        if !isAccepted && !parties.isEmpty {
            lines.append("\(isProven ? "credential" : "claims to be from"): \(parties)")
        }
        for finding in mistakes {
            lines += [
                "\(isProven ? "mistake" : "seen") [\(finding.name)]: \(finding.text)", "  to do: \(finding.advice)",
            ]
        }
        if !isAccepted && !isProven {
            lines.append(
                """
                No mistake that was tried makes the credential right (\(tried) signatures computed): the sender's secret is \
                another one, or the body was changed on its way.
                """)
        }
        for finding in notes { lines += ["note [\(finding.name)]: \(finding.text)", "  to do: \(finding.advice)"] }
        return lines.map { String(decoding: TerminalText.line(Array($0.utf8)), as: UTF8.self) }.joined(separator: "\n")
    }

    /// The answer, and the cause as the log has it.
    private var verdict: String {
        switch trial.outcome {
        case .accepted: "202"
        case .refused(let cause): "401, cause: \(cause.label)"
        case .answered(let reason):
            "\(reason.status) \(reason.detail); the credential is \(key == nil ? "not checked" : "right")"
        case .dropped: "the connection is dropped, since the body is not as long as declared"
        }
    }

    /// Whose credential it is, or would be.
    private var parties: String {
        let claimant = trial.claimant
        guard let key else {
            return claimant.id.isEmpty
                ? "" : "\(claimant.isSender ? "sender" : "tenant") \(Diagnosis.shown(claimant.id))"
        }
        guard !key.owner.isEmpty else {
            let tenant = claimant.id.isEmpty ? "" : "tenant \(Diagnosis.shown(claimant.id)), "
            return "\(tenant)with the secret that all tenants share"
        }
        let owner = String(decoding: key.owner, as: UTF8.self)
        let tenant = String(decoding: trial.exchange.ticket.tenantID, as: UTF8.self)
        let route = key.isSender && isAccepted ? ", tenant \(tenant)" : ""
        return
            "\(key.isSender ? "sender" : "tenant") \(owner)\(route), key \(String(decoding: key.id, as: UTF8.self)), mode \(key.mode)"
    }

    /// An id that is not known to be one: only if it has the form.
    private static func shown(_ id: [UInt8]) -> String {
        Ticket.isTenantID(id.span) ? String(decoding: id, as: UTF8.self) : "(a malformed id)"
    }

    var json: JSONTree {
        var tree: JSONTree = ["accepted": .boolean(isAccepted)]
        switch trial.outcome {
        case .accepted: tree["status"] = 202
        case .refused(let cause):
            tree["status"] = 401
            tree["cause"] = .string("\(cause.label)")
        case .answered(let reason):
            tree["status"] = .number(reason.status)
            tree["reason"] = .string("\(reason.label)")
        case .dropped: tree["status"] = 0
        }
        if !trial.claimant.id.isEmpty {
            tree[trial.claimant.isSender ? "claimed_sender" : "claimed_tenant"] = .string(
                Diagnosis.shown(trial.claimant.id))
        }
        if let key, !key.owner.isEmpty {
            tree[key.isSender ? "sender" : "tenant"] = .string(String(decoding: key.owner, as: UTF8.self))
            tree["key"] = .string(String(decoding: key.id, as: UTF8.self))
        }
        if let key { tree["mode"] = .string(key.mode) }
        tree["proven"] = .boolean(isAccepted || isProven)
        tree["mistakes"] = .array(mistakes.map(\.json))
        tree["notes"] = .array(notes.map(\.json))
        tree["signatures_tried"] = .number(tried)
        return tree
    }
}

extension Finding {
    fileprivate var json: JSONTree { ["name": .string(name), "text": .string(text), "to_do": .string(advice)] }
}
