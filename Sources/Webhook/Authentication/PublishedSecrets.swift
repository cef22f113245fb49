import Bytes

/// Secrets of examples in public documents. Whoever signs with one proves nothing.
package enum PublishedSecrets {
    package static let fault = "a published example: anyone knows it"

    /// Tests/vectors/README.md has the document that each is from.
    private static let texts: [String] = [
        "It's a Secret to Everybody",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        "8f742231b10e8888abcd99yyyzzz85a5",
        "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
        "HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA=",
        "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        "sk_5Ow7B_4eC39H",
        "Use me to generate hash",
        "e46788a75fe6a876ba83a3892cfd201f",
        "your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-384-bits-long",
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "your-super-secret-jwt-token-with-at-least-32-characters-long",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    ]

    /// Each as it is, without the prefix of Standard Webhooks, and as the bytes that it is the base64 of, if it is.
    private static let all: Set<[UInt8]> = {
        var all: Set<[UInt8]> = []
        for text in texts {
            let bare = Array(
                (text.hasPrefix(StandardWebhooksMode.secretPrefix)
                    ? text.dropFirst(StandardWebhooksMode.secretPrefix.count) : text[...]).utf8)
            all.formUnion([Array(text.utf8), bare])
            if let key = base64Decoded(bare) { all.insert(key) }
        }
        return all
    }()

    private static let digests = Set(all.map { Webhook.digest(of: $0.span).key })

    package static func contain(_ secret: [UInt8]) -> Bool { all.contains(secret) }

    /// Whether one of them has that SHA-256.
    static func contain(digest: Tag) -> Bool { digests.contains(digest.key) }
}
