import Webhook

/// A mistake that was found, and what to do about it. Holds no secret.
package struct Finding: Equatable {
    /// What scripts call it.
    package let name: String
    package let text: String
    package let advice: String
}

/// What a mistake changes in the computation of a signature.
enum Change {
    case body([UInt8])
    case key([UInt8])
    case content(before: [UInt8], after: [UInt8])
    case algorithm(Hash, Signing.Method)

    /// Of two changes of the same kind the second would undo the first.
    var kind: Int {
        switch self {
        case .body: 0
        case .key: 1
        case .content: 2
        case .algorithm: 3
        }
    }

    func apply(to signing: inout Signing) {
        switch self {
        case .body(let body): signing.body = body
        case .key(let key): signing.key = key
        case .content(let before, let after): (signing.before, signing.after) = (before, after)
        case .algorithm(let hash, let method): (signing.hash, signing.method) = (hash, method)
        }
    }
}

/// How a sender may have computed the signature instead.
struct Alternative {
    let change: Change
    let finding: Finding
}

/// A mistake in computing a signature.
///
/// A new one is a type of its own and a line in `SigningHypotheses`. It is proven if a signature that the request
/// presents is right under one of its alternatives.
protocol SigningHypothesis: Sendable {
    /// - Parameter signing: how the key's mode signs the request.
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative]
}

enum SigningHypotheses {
    /// Those that are the same for every key.
    static func ofBody(allowingForms allowsForms: Bool) -> [any SigningHypothesis] {
        [
            NewlineAtEnd(), SpaceAround(), LineEndings(), RewrittenJSON(), TextEncoding(),
            FormEncoded(isAllowed: allowsForms), JSONInJSON(), PartOfBody(), NotTheBody(), DigestOfBody(),
        ]
    }

    static let ofKey: [any SigningHypothesis] = [
        SecretWithSpace(), SecretWithQuotes(), SecretDecoded(), SecretEncoded(), WebhookSecret(), SecretCut(),
        OtherContent(),
        OtherHash(), NoHMAC(), SwappedArguments(),
    ]
}

/// A mistake in how a right signature is written, or in where.
protocol WritingHypothesis: Sendable {
    /// Nil if there is none.
    func finding(_ tag: PresentedTag, _ form: SignatureForm, _ key: HeldKey, _ keys: [HeldKey]) -> Finding?
}

enum WritingHypotheses {
    static let all: [any WritingHypothesis] = [
        UnderscoreInHeader(), OtherHeader(), OtherEncoding(), OtherPrefix(), RepeatedHeader(),
    ]
}

/// Why a right credential does not count.
protocol CircumstanceHypothesis: Sendable {
    /// Nil if that is not why.
    func finding(_ key: HeldKey, in evidence: Evidence) -> Finding?
}

enum CircumstanceHypotheses {
    static let all: [any CircumstanceHypothesis] = [
        OtherOwner(), KeyTimes(), InactiveOwner(), SignedTimeOff(), NotOverTLS(), OtherTenant(), Rerouted(),
    ]
}

/// Something that is wrong with a request whatever its credential is.
protocol Observation: Sendable {
    func finding(in evidence: Evidence) -> Finding?
}

enum Observations {
    static let all: [any Observation] = [
        LengthDiffers(), OwnerUnknown(), HeaderAbsent(), TimeAbsent(), BodyIsNotJSON(),
    ]

    /// What is worth knowing of an accepted request, too.
    static let ofEveryRequest: [any Observation] = [HeaderNotPassed(), HeaderTwice()]
}
