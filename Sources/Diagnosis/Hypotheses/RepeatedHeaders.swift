import Webhook

private func twice(_ header: String) -> Finding {
    Finding(
        name: "header-twice",
        text:
            "the header \(quoted(header.utf8, limit: 60)) is there twice: nginx takes the first, since 1.23 both, joined",
        advice: "send it once; if the sender does, something before nginx adds another")
}

/// A right signature in the second of two headers with the same name.
struct RepeatedHeader: WritingHypothesis {
    func finding(_ tag: PresentedTag, _ form: SignatureForm, _ key: HeldKey, _ keys: [HeldKey]) -> Finding? {
        tag.isRepeat && tag.header.isHeader(form.header) ? twice(tag.header) : nil
    }
}

/// A right token or password likewise.
struct TokenInRepeatedHeader: TokenHypothesis {
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding? {
        token.isRepeat && token.header.isHeader(key.header) ? twice(token.header) : nil
    }
}

/// A header that the responder reads, and that is there twice.
struct HeaderTwice: Observation {
    private static let ofEveryMode = ["content-type", "webhook-id", "idempotency-key"]

    func finding(in evidence: Evidence) -> Finding? {
        var read = Set(HeaderTwice.ofEveryMode)
        for key in evidence.claimed {
            read.insert(key.header.lowercased())
            for case .header(let name) in key.form?.signed ?? [] { read.insert(name.lowercased()) }
            if let time = key.form?.time { read.insert(time.header.lowercased()) }
        }
        let names = evidence.request.repeats.sorted().map { evidence.request.fields[$0].name }
        return names.first { read.contains($0.lowercased()) }.map(twice)
    }
}
