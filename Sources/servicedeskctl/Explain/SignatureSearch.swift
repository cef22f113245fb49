import Webhook

/// Finds out how a signature was made: by changing what may have gone wrong until it is right.
struct SignatureSearch {
    /// Things that went wrong at the same time, at most, besides the way in which the signature is written.
    private static let mistakeLimit = 2

    struct Match {
        let key: HeldKey
        let mistakes: [String]
    }

    let request: CapturedRequest
    let candidates: [SignatureCandidate]

    init(_ request: CapturedRequest) {
        self.request = request
        candidates = SignatureCandidate.all(in: request.fields)
    }

    /// The match with the fewest mistakes, under keys of the one who claims to have sent it.
    func match(claimed keys: [HeldKey]) -> Match? {
        keys.flatMap { key in candidates.compactMap { match($0, key, upTo: SignatureSearch.mistakeLimit) } }
            .min { $0.mistakes.count < $1.mistakes.count }
    }

    /// A match under a key of somebody else, with nothing else wrong but the way in which the signature is written.
    func match(others keys: [HeldKey]) -> Match? {
        for key in keys {
            for candidate in candidates where candidate.bytes.count == 32 {
                if let match = match(candidate, key, upTo: 0) { return match }
            }
        }
        return nil
    }

    private func match(_ candidate: SignatureCandidate, _ key: HeldKey, upTo limit: Int) -> Match? {
        guard let form = SignatureCandidate.Form(of: key) else { return nil }
        let contents = ContentVariations.all(for: key, in: request)
        let hashes = HashVariations.all(bytes: candidate.bytes.count)
        if limit == 0 {
            guard let content = contents.first, content.mistake == nil, let hash = hashes.first,
                hash.value(key.material.bytes, content.value.before + request.body + content.value.after)
                    == candidate.bytes
            else { return nil }
            return Match(key: key, mistakes: candidate.mistakes(against: form))
        }
        let bodies = BodyVariations.all(of: request.body)
        let secrets = SecretVariations.all(of: key)
        for count in 0...limit {
            for hash in hashes {
                for content in contents {
                    for secret in secrets {
                        let soFar = [hash.mistake, content.mistake, secret.mistake].compactMap { $0 }
                        guard soFar.count <= count, soFar.count >= count - 1 else { continue }
                        for body in bodies where soFar.count + (body.mistake == nil ? 0 : 1) == count {
                            let text = content.value.before + body.value + content.value.after
                            guard hash.value(secret.value, text) == candidate.bytes else { continue }
                            let mistakes = candidate.mistakes(against: form) + soFar + [body.mistake].compactMap { $0 }
                            return Match(key: key, mistakes: mistakes)
                        }
                    }
                }
            }
        }
        return nil
    }
}
