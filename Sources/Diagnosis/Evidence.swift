import Bytes
import Webhook

/// What there is to judge by.
struct Evidence {
    let request: SavedRequest
    let trial: Trial
    /// Of all tenants and senders.
    let keys: [HeldKey]
    /// Seconds since 1970.
    let now: Int
    /// Who the request claims to be from, once the mistake in its body is undone.
    var claimant: Claimant

    init(request: SavedRequest, trial: Trial, keys: [HeldKey], now: Int) {
        self.request = request
        self.trial = trial
        self.keys = keys
        self.now = now
        claimant = trial.claimant
    }

    /// The same for a body in which the tenant may be found, if it cannot be found in the one that was sent.
    func undoing(body: [UInt8]) -> Evidence {
        var evidence = self
        if !claimant.isSender && claimant.id.isEmpty {
            TicketReader().tenant(of: body.span, into: &evidence.claimant.id)
        }
        return evidence
    }

    /// The keys that may prove who the request claims to be from.
    var claimed: [HeldKey] {
        if isShared { return keys }
        return keys.filter { $0.isSender == trial.claimant.isSender && $0.owner == trial.claimant.id }
    }

    /// Whether there is only the secret that all tenants share.
    var isShared: Bool { keys.count == 1 && keys[0].owner.isEmpty }

    var cause: RefusalCause? {
        if case .refused(let cause) = trial.outcome { cause } else { nil }
    }
}

extension HeldKey {
    /// `key 2026-11 of tenant acme`
    var title: String {
        guard !owner.isEmpty else { return "the secret that all tenants share" }
        return "key \(text(id)) of \(ownerTitle)"
    }

    /// `tenant acme`
    var ownerTitle: String { "\(isSender ? "sender" : "tenant") \(text(owner))" }

    var modeName: String { type(of: mode).name }

    /// How the holder of the key sends its credential, in words.
    var instruction: String {
        guard let form else {
            let name = modeName == BasicMode.name ? "user and password" : "the token"
            return "\(name) in the header \(header)"
        }
        let prefix = form.prefix.isEmpty || form.isPrefixOptional ? "" : " after \(quoted(form.prefix))"
        return
            "the signature \(form.encoding == .hex ? "in hexadecimal digits" : "in base64")\(prefix) in the header \(header)"
    }
}

func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

/// Untrusted text between quotation marks, shortened, with nothing that a terminal would interpret.
func quoted(_ bytes: some Sequence<UInt8>, limit: Int = 100) -> String {
    let scalars = text(bytes).unicodeScalars
    let shown = scalars.prefix(limit).map { scalar in
        switch scalar {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        case "\"": "\\\""
        default:
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: " "
            default: String(scalar)
            }
        }
    }
    return "\"\(shown.joined())\(scalars.count > limit ? "…" : "")\""
}
