import Bytes
import JSON
import Webhook

/// What is asked about a request that is refused.
struct Inquiry {
    let request: CapturedRequest
    let claimant: Claimant
    let keys: [HeldKey]
    /// Seconds since 1970.
    let now: Int

    private func isClaimed(_ key: HeldKey) -> Bool {
        key.owner.isEmpty || key.isSender == claimant.isSender && key.owner == claimant.id
    }

    private var claimedKeys: [HeldKey] { keys.filter(isClaimed) }

    /// The key that the request was made with, as far as that can be found out.
    func match() -> SignatureSearch.Match? {
        let signatures = SignatureSearch(request)
        let tokens = TokenSearch(request: request)
        let claimed = claimedKeys
        let others = keys.filter { !isClaimed($0) }
        return [signatures.match(claimed: claimed), tokens.match(claimed)].compactMap { $0 }
            .min { $0.mistakes.count < $1.mistakes.count }
            ?? signatures.match(others: others) ?? tokens.match(others)
    }

    func name(of key: HeldKey) -> String {
        guard !key.owner.isEmpty else { return "the secret that all tenants share" }
        let (owner, id) = (String(decoding: key.owner, as: UTF8.self), String(decoding: key.id, as: UTF8.self))
        return "key \(id) of \(key.isSender ? "sender" : "tenant") \(owner)"
    }

    /// Why a key is not accepted for this request although it is the one that was used.
    func whyNotAccepted(_ key: HeldKey) -> [String] {
        var reasons: [String] = []
        if !isClaimed(key) {
            let claimed = claimant.isSender ? "on the path of sender" : "for tenant"
            reasons.append(
                "it is not accepted \(claimed) \(String(decoding: claimant.id, as: UTF8.self)), whose key it is not")
        }
        switch key.validity.cause(at: now) {
        case .keyExpired:
            reasons.append("the key has expired: its not_after was \(Timestamp.text(key.validity.notAfter))")
        case .keyNotYetValid:
            reasons.append("the key is not accepted yet: its not_before is \(Timestamp.text(key.validity.notBefore))")
        default: break
        }
        if !key.isOwnerActive {
            reasons.append("\(key.isSender ? "sender" : "tenant") is not active in the tenants file")
        }
        return reasons
    }

    /// What the cause itself says.
    func reasons(for cause: RefusalCause, hasMatch: Bool) -> [String] {
        switch cause {
        case .headerMissing where !hasMatch: missingHeader()
        case .headerMalformed: badTimes()
        case .unknownTenant: unknownTenant()
        case .unknownSender: ["the tenants file has no sender \(String(decoding: claimant.id, as: UTF8.self))"]
        case .modeNotAccepted where !hasMatch:
            ["the credential is of a mode that no key of the claimed owner has: \(modes(of: claimedKeys))"]
        case .stale: staleTimes()
        case .notEncrypted:
            ["tokens and passwords are accepted over TLS only, where nginx says HTTPS=on; or the key says plaintext"]
        case .valueUnknown:
            ["the value at the sender's tenant_from path is missing, or not in its table, to the letter"]
        case .otherTenant: ["tenant_id in the payload is not the tenant of the key, or of the sender"]
        default: []
        }
    }

    private func missingHeader() -> [String] {
        let expected = Set(claimedKeys.compactMap { SignatureCandidate.Form(of: $0)?.header }).sorted()
        let names = expected.isEmpty ? "" : ": expected \(expected.joined(separator: " or "))"
        return ["there is no header with a credential\(names)"]
    }

    private func modes(of keys: [HeldKey]) -> String {
        Set(keys.map(\.parameters.mode)).sorted().joined(separator: ", ")
    }

    private func unknownTenant() -> [String] {
        guard claimant.id.isEmpty else {
            let id = String(decoding: claimant.id, as: UTF8.self)
            let near = Set(keys.filter { !$0.isSender }.map { String(decoding: $0.owner, as: UTF8.self) })
                .first { $0 == id.lowercased().filter { !$0.isWhitespace } && $0 != id }
            return ["the tenants file has no tenant \(id)\(near.map { ": did the sender mean \($0)?" } ?? "")"]
        }
        var reader = JSONReader()
        do throws(JSONFault) {
            try reader.skipValue(in: request.body.span)
        } catch {
            return ["no tenant_id is found, for the body is not JSON: \(error.kind.rawValue) at byte \(error.offset)"]
        }
        return ["the body has no tenant_id: add it, or post to the path of a sender"]
    }

    // MARK: Times

    /// The signed times of the claimed keys, and how far they may be from now.
    private var signedTimes: [(header: String, text: [UInt8], form: SignedTime, tolerance: Int)] {
        claimedKeys.compactMap { key in
            let texts = key.parameters.texts
            if key.mode is StandardWebhooksMode {
                return request.value(of: "webhook-timestamp").map {
                    ("webhook-timestamp", $0, .unix, StandardWebhooksMode.tolerance)
                }
            }
            guard let header = texts[.timestampHeader], let text = request.value(of: header) else { return nil }
            let form = texts[.timestampFormat].flatMap { SignedTime(rawValue: $0) } ?? .unix
            return (header, text, form, key.parameters.tolerance ?? HMACMode.defaultTolerance)
        }
    }

    private func staleTimes() -> [String] {
        signedTimes.compactMap { time in
            guard let seconds = time.form.seconds(of: time.text.span), abs(seconds - now) > time.tolerance else {
                return nil
            }
            let direction = seconds < now ? "before" : "after"
            return """
                \(time.header) is \(abs(seconds - now)) s \(direction) now, and may be \(time.tolerance) s: set the clocks right \
                with NTP, or the request is an old one
                """
        }
    }

    private func badTimes() -> [String] {
        let bad: [String] = signedTimes.compactMap { time in
            guard time.form.seconds(of: time.text.span) == nil else { return nil }
            let isLong = (12...16).contains(time.text.count) && time.text.allSatisfy(\.isDigit)
            let advice =
                isLong && time.form == .unix
                ? "it looks like milliseconds: send seconds"
                : time.form == .unix ? "expected seconds since 1970" : "expected an RFC 3339 date-time"
            return "\(time.header) has another form: \(advice)"
        }
        let missing: [String] = claimedKeys.compactMap { key in
            let texts = key.parameters.texts
            let names =
                key.mode is StandardWebhooksMode
                ? ["webhook-id", "webhook-timestamp", "webhook-signature"]
                : [texts[.header], texts[.timestampHeader]].compactMap { $0 }
            let absent = names.filter { request.value(of: $0) == nil }
            guard !absent.isEmpty, absent.count < names.count else { return nil }
            return "the header \(absent.joined(separator: " and ")) is missing"
        }
        return bad + missing
    }
}
