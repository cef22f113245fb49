import TestSupport
import Testing
import Webhook

struct SignatureTests {
    /// RFC 4231, section 4, without the fifth case, which truncates the tag.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), utf8("Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            utf8("Jefe"), utf8("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](1...25), [UInt8](repeating: 0xCD, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), utf8("Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131),
            utf8(
                "This is a test using a larger than block-size key and a larger than block-size data. "
                    + "The key needs to be hashed before being used by the HMAC algorithm."),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ])
    func `tags match the test cases of RFC 4231`(key: [UInt8], text: [UInt8], tag: String) {
        #expect(sign(text, with: key) == tag)
    }

    @Test func `an authenticator keeps its key and forgets the last text`() {
        let authenticator = authenticator()
        let first = bytes(of: authenticator.tag(of: utf8("one").span))
        _ = authenticator.tag(of: utf8("two").span)
        #expect(bytes(of: authenticator.tag(of: utf8("one").span)) == first)
        #expect(bytes(of: authenticator.tag(of: [UInt8]().span)).hex == sign([]))
        authenticator.setKey(utf8("another key").span)
        #expect(bytes(of: authenticator.tag(of: utf8("one").span)).hex == sign(utf8("one"), with: utf8("another key")))
    }

    @Test func `tags that differ in one bit are not equal`() {
        let tag = authenticator().tag(of: utf8("body").span)
        #expect(areEqual(tag, tag))
        for bit in 0..<256 {
            var other = tag
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!areEqual(tag, other))
        }
    }

    @Test func `a digest is SHA-256`() {
        let digest = bytes(of: digest(of: utf8("abc").span)).hex
        #expect(digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    // MARK: The header

    /// The reason for which a request with this header is refused; nil if it is accepted.
    private func refusal(_ header: String) -> Reason? {
        if case .answer(let reason) = outcome({ $0.signature = header }).disposition { reason } else { nil }
    }

    private let tag = sign(Payload().bytes)

    @Test func `a known body has the tag and the digest that Python computes`() {
        let body = Payload().bytes
        #expect(sign(body) == "01805cd9da7086808b3551cef9eb7b906c97faade42ee836529bcc2aa0f3f61a")
        #expect(
            bytes(of: digest(of: body.span)).hex == "cd313d4d368224a1c0efdfca02cf820b33bb6c0357ffdcc86cdffbf571891a7a")
    }

    @Test func `a signature may be in either case, with or without sha256=`() {
        #expect(refusal(tag) == nil)
        #expect(refusal(tag.uppercased()) == nil)
        #expect(refusal("sha256=" + tag) == nil)
        #expect(refusal("sha256=" + tag.uppercased()) == nil)
        #expect(refusal(String(tag.prefix(32)).uppercased() + tag.suffix(32)) == nil)
    }

    /// OWS of RFC 9110, section 5.6.3.
    @Test(arguments: [" ", "\t", "\t \t"])
    func `spaces and tabs around a signature or a delivery id are ignored`(space: String) {
        for header in [space + tag, tag + space, space + "sha256=" + tag + space] { #expect(refusal(header) == nil) }
        #expect(refusal(space) == .missingSignature)
        for name in ["HTTP_WEBHOOK_ID", "HTTP_IDEMPOTENCY_KEY"] {
            let named = outcome { $0.others = [(name, space + "msg-1" + space)] }
            #expect(named.queue.pushes.first?.delivery?.id == utf8("msg-1"))
        }
    }

    @Test func `an absent or empty signature is missing`() {
        #expect(refusal("") == .missingSignature)
        var exchange = Exchange()
        exchange.reset()
        var secrets = Secrets(shared: secret)
        let empty: [UInt8] = []
        let verdict = secrets.check(exchange.credentials, of: empty.span, from: Claimant(), at: 0)
        #expect(verdict == .refused(.headerMissing))
    }

    @Test func `a signature in any other form is invalid`() {
        let (cut, rest) = (tag.dropLast(), tag.dropFirst(2))
        let forms: [String] = [
            "\u{B}", "sha256=", "sha256", "\(cut)", "\(tag)0", "\u{A0}\(tag)", "\(tag)\r", "\(tag),\(tag)",
            "\(tag), \(tag)",
            "SHA256=\(tag)",
            "sha256= \(tag)", "sha256=sha256=\(tag)", "sha512=\(tag)", "sha1=\(tag)", "0x\(tag)", "0x\(rest)",
            "\(tag.prefix(32))",
            "\(tag)\(tag)", String(repeating: "0", count: 64), String(repeating: "g", count: 64), "\(cut)g", "\(cut)\0",
            "é\(rest)",
            String(tag.reversed()), String(repeating: "a", count: 100_000), "sha256=\(cut)",
        ]
        for form in forms { #expect(refusal(form) == .invalidSignature, "\(form.prefix(80))") }
    }

    @Test func `a signature with one wrong digit is invalid`() {
        for index in 0..<64 {
            var digits = Array(tag)
            digits[index] = digits[index] == "0" ? "1" : "0"
            #expect(refusal(String(digits)) == .invalidSignature)
        }
    }

    @Test func `a signature of another body or under another secret is invalid`() {
        #expect(refusal(sign(Payload().bytes + utf8(" "))) == .invalidSignature)
        #expect(refusal(sign(Payload().bytes, with: Array(secret.reversed()))) == .invalidSignature)
        #expect(
            outcome {
                $0.body = []
                $0.signature = sign([])
            }.disposition == .answer(.invalidJSON))
    }
}
