import Webhook

private func alternative(_ hash: Hash, _ method: Signing.Method, _ name: String, _ text: String) -> Alternative {
    Alternative(
        change: .algorithm(hash, method),
        finding: Finding(
            name: name, text: text, advice: "compute HMAC-SHA256 with the secret as the key and the body as the text"))
}

/// An HMAC with another hash function.
struct OtherHash: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        Hash.allCases.filter { $0 != .sha256 }.map { hash in
            alternative(hash, .hmac, "other-hash", "the signature is an HMAC with \(hash.rawValue), not with SHA-256")
        }
    }
}

/// A plain hash of secret and body.
struct NoHMAC: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        Hash.allCases.flatMap { hash in
            [
                alternative(
                    hash, .digestOfKeyThenText, "no-hmac",
                    "the signature is the \(hash.rawValue) of secret and body, not an HMAC"),
                alternative(
                    hash, .digestOfTextThenKey, "no-hmac",
                    "the signature is the \(hash.rawValue) of body and secret, not an HMAC"),
                alternative(
                    hash, .digestOfText, "no-hmac",
                    "the signature is the \(hash.rawValue) of the body alone, without a secret"),
            ]
        }
    }
}

/// The body as the key, and the secret as the text.
struct SwappedArguments: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        [
            alternative(
                .sha256, .hmacSwapped, "swapped",
                "the sender passed secret and body to the HMAC function in the wrong order")
        ]
    }
}
