import Webhook

/// What explains a request: under these mistakes its credential is right for this key.
struct Proof {
    let key: HeldKey
    let mistakes: [Finding]
}

/// Tries the hypotheses on the keys, the simple ones first.
struct ProofSearch {
    /// Bytes of a body for which two mistakes in computing the signature are tried together, at most.
    private static let pairLimit = 16_384
    /// Other tenants' and senders' keys with which mistakes are tried, at most, and as many only for a short body.
    private static let otherLimit = 200
    private static let byteLimit = 2_000_000

    private let evidence: Evidence
    private let tags: [PresentedTag]
    private let tokens: [PresentedToken]
    private let lengths: Set<Int>
    /// What may have been signed in place of the body; nil until that is needed.
    private var bodies: [Alternative]?
    /// Signatures that were computed.
    private(set) var tried = 0

    init(_ evidence: Evidence) {
        self.evidence = evidence
        tags = PresentedTag.all(in: evidence.request)
        tokens = PresentedToken.all(in: evidence.request)
        lengths = Set(tags.map(\.bytes.count))
    }

    mutating func run() -> Proof? {
        let claimed = evidence.claimed
        let others = evidence.keys.filter { key in
            !claimed.contains { $0.isSender == key.isSender && $0.owner == key.owner }
        }
        let limit = min(ProofSearch.otherLimit, ProofSearch.byteLimit / max(evidence.request.body.count, 1))
        let few = Array(others.prefix(limit))
        return token(of: claimed) ?? signature(of: claimed, depth: 0) ?? signature(of: claimed, depth: 1)
            ?? token(of: others) ?? signature(of: others, depth: 0) ?? signature(of: claimed, depth: 2)
            ?? signature(of: few, depth: 1)
    }

    // MARK: Tokens and passwords

    private func token(of keys: [HeldKey]) -> Proof? {
        var best: Proof?
        for key in keys {
            for token in tokens {
                var mistakes: [Finding] = []
                if token.proves(key) {
                    mistakes = token.findings(key)
                } else if token.isDigest(of: key) {
                    mistakes = [
                        Finding(
                            name: "token-digest", text: "what is sent is the SHA-256 of the token, not the token",
                            advice: "send the token itself: the tenants file has its SHA-256")
                    ]
                } else {
                    continue
                }
                let proof = proof(key, mistakes)
                if best.map({ $0.mistakes.count > proof.mistakes.count }) ?? true { best = proof }
            }
        }
        return best
    }

    // MARK: Signatures

    /// - Parameter depth: how many mistakes in computing the signature are tried together.
    private mutating func signature(of keys: [HeldKey], depth: Int) -> Proof? {
        guard !tags.isEmpty, depth < 2 || evidence.request.body.count <= ProofSearch.pairLimit else { return nil }
        for key in keys where key.form != nil || key.secret.text != nil {
            let signing = Signing(evidence.request, with: key)
            let alternatives = depth == 0 ? [] : alternatives(to: signing, key)
            switch depth {
            case 0: if let proof = test(signing, [], key) { return proof }
            case 1:
                for alternative in alternatives {
                    if let proof = test(signing, [alternative], key) { return proof }
                }
            default:
                for (index, first) in alternatives.enumerated() {
                    for second in alternatives[(index + 1)...] where second.change.kind != first.change.kind {
                        if let proof = test(signing, [first, second], key) { return proof }
                    }
                }
            }
        }
        return nil
    }

    private mutating func alternatives(to signing: Signing, _ key: HeldKey) -> [Alternative] {
        func alternatives(_ hypotheses: [any SigningHypothesis]) -> [Alternative] {
            hypotheses.flatMap { $0.alternatives(to: signing, evidence.request, key) }
        }
        let bodies = self.bodies ?? alternatives(SigningHypotheses.ofBody(allowingForms: evidence.trial.allowsForms))
        self.bodies = bodies
        return (bodies + alternatives(SigningHypotheses.ofKey)).filter { alternative in
            switch alternative.change {
            case .body(let body): body != signing.body
            case .key(let key): key != signing.key
            case .content: true
            case .algorithm(let hash, _): lengths.contains(hash.length)
            }
        }
    }

    private mutating func test(_ signing: Signing, _ alternatives: [Alternative], _ key: HeldKey) -> Proof? {
        var signing = signing
        for alternative in alternatives { alternative.change.apply(to: &signing) }
        guard lengths.contains(signing.hash.length) else { return nil }
        tried += 1
        let signature = signing.signature
        let computing = alternatives.map(\.finding)
        return tags.filter { $0.bytes == signature }.map { tag in
            proof(key, computing + writing(tag, key), signedBody: signing.body)
        }
        .min { $0.mistakes.count < $1.mistakes.count }
    }

    private func writing(_ tag: PresentedTag, _ key: HeldKey) -> [Finding] {
        guard let form = key.form else {
            return [
                Finding(
                    name: "wrong-mode",
                    text:
                        "the request is signed with the secret of \(key.title), whose mode \(key.modeName) does not sign",
                    advice: "send \(key.instruction), or give the key a mode that signs")
            ]
        }
        return WritingHypotheses.all.compactMap { $0.finding(tag, form, key, evidence.keys) }
    }

    /// - Parameter signedBody: what the sender took for the body.
    private func proof(_ key: HeldKey, _ mistakes: [Finding], signedBody: [UInt8]? = nil) -> Proof {
        let evidence = signedBody.map { self.evidence.undoing(body: $0) } ?? self.evidence
        return Proof(
            key: key, mistakes: mistakes + CircumstanceHypotheses.all.compactMap { $0.finding(key, in: evidence) })
    }
}
