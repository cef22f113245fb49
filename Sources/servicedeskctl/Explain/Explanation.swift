import Bytes
import JSON
import Webhook

/// Why a request is refused, or that it is not.
struct Explanation {
    /// What the responder answers.
    let verdict: String
    let isAuthentic: Bool
    let cause: String?
    /// Whose key it is, and which.
    private(set) var key: String?
    private(set) var findings: [String] = []

    init(_ request: CapturedRequest, secrets: Secrets, keys: [HeldKey], now: Int) {
        let outcome = request.outcome(secrets, now: now)
        let cause = outcome.exchange.refusalCause
        self.cause = cause.map { "\($0.label)" }
        switch outcome.disposition {
        case .queued:
            verdict = "202"
            isAuthentic = true
        case .answer(let reason):
            verdict = "\(reason.status) \(reason.detail)"
            isAuthentic = cause == nil && Explanation.isBehindAuthentication(reason)
        case .drop, .metrics, .live, .ready:
            verdict = "no webhook"
            isAuthentic = false
        }
        if isAuthentic {
            describe(outcome.exchange)
            findings = outcome.exchange.faults.map { String(decoding: $0.line, as: UTF8.self) }
        } else if let cause {
            explain(cause, Inquiry(request: request, claimant: Claimant.of(request, secrets), keys: keys, now: now))
        } else {
            findings.append("it does not get as far as its credential: look at path, method and length")
        }
    }

    private static func isBehindAuthentication(_ reason: Reason) -> Bool {
        switch reason {
        case .unknownPath, .methodNotAllowed, .tooLarge, .missingSignature, .invalidSignature: false
        default: true
        }
    }

    private mutating func describe(_ exchange: Exchange) {
        guard let proven = exchange.key else {
            key = "the secret that all tenants share"
            return
        }
        let owner = exchange.sender.isEmpty ? "" : "sender \(String(decoding: exchange.sender, as: UTF8.self)), "
        key =
            "\(owner)key \(String(decoding: proven.id, as: UTF8.self)), mode \(String(decoding: proven.mode, as: UTF8.self))"
    }

    private mutating func explain(_ cause: RefusalCause, _ inquiry: Inquiry) {
        if let match = inquiry.match() {
            key = inquiry.name(of: match.key)
            findings += match.mistakes
            findings += inquiry.whyNotAccepted(match.key)
        }
        findings += inquiry.reasons(for: cause, hasMatch: key != nil)
        if findings.isEmpty {
            findings.append(
                """
                no known mistake explains it: either another secret was used, or the body was changed on its way; compare \
                sha256sum of the body at both ends, and the secrets
                """)
        }
    }

    // MARK: Printing

    var lines: [String] {
        var lines = ["\(verdict)\(cause.map { ": \($0)" } ?? "")"]
        if let key { lines.append(isAuthentic ? "accepted with \(key)" : "made with \(key)") }
        return lines + findings.map { "- \($0)" }
    }

    var tree: JSONTree {
        var members: [(name: String, value: JSONTree)] = [
            ("accepted", .boolean(isAuthentic)), ("answer", .string(verdict)),
        ]
        if let cause { members.append(("cause", .string(cause))) }
        if let key { members.append(("key", .string(key))) }
        members.append(("findings", .array(findings.map { .string($0) })))
        return .object(members)
    }
}

extension Claimant {
    /// Who a request claims to be from: the sender in its path, or the tenant in its body.
    static func of(_ request: CapturedRequest, _ secrets: Secrets) -> Claimant {
        let prefix = "/webhook/servicedesk/"
        if request.path.hasPrefix(prefix) {
            return Claimant(isSender: true, id: Array(request.path.dropFirst(prefix.count).utf8))
        }
        guard secrets.arePerTenant else { return Claimant() }
        var id: [UInt8] = []
        TicketReader().tenant(of: request.body.span, into: &id)
        return Claimant(isSender: false, id: id)
    }
}
