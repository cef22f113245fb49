import Bytes
import Webhook

/// The key of someone else.
struct OtherOwner: CircumstanceHypothesis {
    func finding(_ key: HeldKey, in evidence: Evidence) -> Finding? {
        let claimant = evidence.claimant
        guard !evidence.isShared, key.isSender != claimant.isSender || key.owner != claimant.id else { return nil }
        if !claimant.isSender && !key.isSender && claimant.id.isEmpty {
            if let finding = BodyIsNotJSON().finding(in: evidence) { return finding }
            return Finding(
                name: "tenant-missing",
                text: "no tenant_id was found in the body; the credential is right for \(key.title)",
                advice: """
                    put "tenant_id":"\(text(key.owner))" into the outermost object of the payload, or make the help desk a sender \
                    with a path of its own
                    """)
        }
        let claimed = "\(claimant.isSender ? "sender" : "tenant") \(quoted(claimant.id))"
        if key.isSender != claimant.isSender {
            let path = "/webhook/servicedesk\(key.isSender ? "/\(text(key.owner))" : "")"
            return Finding(
                name: "wrong-path",
                text: "the credential is that of \(key.title), but the request went to \(evidence.request.path)",
                advice: "post to \(path), where that key is accepted")
        }
        return Finding(
            name: "other-owner",
            text: "the credential is that of \(key.title), but the request claims to be from \(claimed)",
            advice: key.isSender
                ? "post to /webhook/servicedesk/\(text(key.owner)), or use the secret of \(claimed)"
                : "use the secret of \(claimed), or the tenant_id \(text(key.owner))")
    }
}

/// A key before or after its time.
struct KeyTimes: CircumstanceHypothesis {
    func finding(_ key: HeldKey, in evidence: Evidence) -> Finding? {
        switch key.validity.cause(at: evidence.now) {
        case .keyExpired:
            Finding(
                name: "key-expired",
                text: "\(key.title) is right, but has not been accepted since \(dateTime(key.validity.notAfter))",
                advice: "give the sender the secret of a newer key, or change not_after")
        case .keyNotYetValid:
            Finding(
                name: "key-not-yet-valid",
                text: "\(key.title) is right, but is accepted only from \(dateTime(key.validity.notBefore)) on",
                advice: "let the sender use the older key until then, or change not_before")
        default: nil
        }
    }
}

/// A tenant or sender that is switched off.
struct InactiveOwner: CircumstanceHypothesis {
    func finding(_ key: HeldKey, in evidence: Evidence) -> Finding? {
        guard !key.isOwnerActive else { return nil }
        return Finding(
            name: "owner-inactive", text: "the credential is right, but the \(key.ownerTitle) has \"active\": false",
            advice: "remove that from the tenants file if its tickets are to be accepted")
    }
}

/// A signed time that is written in another form, or too far from now.
struct SignedTimeOff: CircumstanceHypothesis {
    func finding(_ key: HeldKey, in evidence: Evidence) -> Finding? {
        guard let time = key.form?.time, let value = evidence.request.value(of: time.header) else { return nil }
        let expected =
            time.format == .unix ? "seconds since 1970" : "an RFC 3339 date-time such as 2026-11-27T09:30:00Z"
        guard time.format.seconds(of: value.span) != nil else {
            let form =
                switch WrittenTime(value)?.form {
                case .milliseconds: "in milliseconds"
                case .microseconds: "in microseconds or nanoseconds"
                case .seconds: "in seconds"
                case .dateTime: "as a date-time"
                case nil: "in another form"
                }
            return Finding(
                name: "time-form", text: "\(time.header) is \(form); expected: \(expected)",
                advice: "send, and sign, \(expected)")
        }
        let offset = (time.format.seconds(of: value.span) ?? 0) - evidence.now
        guard abs(offset) > time.tolerance else { return nil }
        let hours = (abs(offset) + 1800) / 3600
        let isZone = (1...14).contains(hours) && abs(abs(offset) - hours * 3600) <= 60
        return Finding(
            name: "time-stale",
            text: """
                the signature is right, but \(time.header) is \(abs(offset)) s \(offset < 0 ? "before" : "after") now; accepted are \
                \(time.tolerance) s
                """,
            advice: isZone
                ? "that is \(hours) h: the sender seems to take its local time for UTC"
                : """
                set the clocks of both machines by NTP, and sign again at each retry; for a request that was saved earlier, give \
                the time when it arrived as --now
                """)
    }
}

/// A token or a password that anyone on the way could read.
struct NotOverTLS: CircumstanceHypothesis {
    func finding(_ key: HeldKey, in evidence: Evidence) -> Finding? {
        guard type(of: key.mode).needsEncryption, key.parameters.allowsPlaintext != true, !evidence.request.isEncrypted
        else { return nil }
        return Finding(
            name: "not-over-tls", text: "the credential is right, but mode \(key.modeName) is accepted only over TLS",
            advice:
                "post to https://, or give the key \"plaintext\": true; if the request did come over TLS, explain it with --https"
        )
    }
}

/// A payload that names another tenant than the one that the key or the sender is for.
struct OtherTenant: CircumstanceHypothesis {
    func finding(_ key: HeldKey, in evidence: Evidence) -> Finding? {
        guard evidence.cause == .otherTenant else { return nil }
        var named: [UInt8] = []
        TicketReader().tenant(of: evidence.request.body.span, into: &named)
        return Finding(
            name: "other-tenant",
            text:
                "the credential is right, but the payload's tenant_id \(quoted(named)) is not a tenant for which \(key.ownerTitle) may send",
            advice: "leave tenant_id out, or make it the tenant that the tenants file has for \(key.ownerTitle)")
    }
}

/// A sender's ticket that belongs to no active tenant.
struct Rerouted: CircumstanceHypothesis {
    func finding(_ key: HeldKey, in evidence: Evidence) -> Finding? {
        guard key.isSender else { return nil }
        switch evidence.cause {
        case .valueUnknown:
            return Finding(
                name: "value-unknown",
                text:
                    "the credential is right, but the value in the payload stands for none of the tenants of \(key.ownerTitle)",
                advice: "add the value to tenant_from in the tenants file, or correct its path")
        case .inactiveTenant:
            return Finding(
                name: "owner-inactive",
                text: "the credential is right, but the tenant whose ticket it is has \"active\": false",
                advice: "remove that from the tenants file if its tickets are to be accepted")
        default: return nil
        }
    }
}

func dateTime(_ seconds: Int) -> String { text(SignedTime.rfc3339.text(of: seconds)) }
