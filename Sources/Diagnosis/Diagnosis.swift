package import Webhook

/// What the responder makes of a request, and which mistake of the sender explains it.
package struct Diagnosis {
    package let trial: Trial
    /// The key that the request proves, or that it would prove without its mistakes.
    package private(set) var key: Key?
    package private(set) var mistakes: [Finding] = []
    /// Whether the credential is right under these mistakes; otherwise they are what is wrong in any case.
    package private(set) var isProven = false
    package private(set) var notes: [Finding] = []
    /// Signatures that were computed to find out.
    package private(set) var tried = 0

    /// What a key is called, without its secret.
    package struct Key: Equatable {
        package let isSender: Bool
        /// Empty for the secret that all tenants share.
        package let owner: [UInt8]
        package let id: [UInt8]
        package let mode: String

        init(_ key: HeldKey) {
            isSender = key.isSender
            owner = key.owner
            id = key.id
            mode = key.modeName
        }
    }

    package var isAccepted: Bool { trial.outcome == .accepted }

    /// - Parameters:
    ///   - keys: those that `secrets` was made of.
    ///   - now: seconds since 1970.
    package init(
        _ request: SavedRequest, secrets: Secrets, keys: [HeldKey], now: Int, unknownFields: UnknownFields = .reject
    ) {
        trial = Trial(request, secrets: secrets, now: now, unknownFields: unknownFields)
        let evidence = Evidence(request: request, trial: trial, keys: keys, now: now)
        notes = Observations.ofEveryRequest.compactMap { $0.finding(in: evidence) }
        switch trial.outcome {
        case .accepted: key = proven(in: evidence)
        case .answered(let reason):
            key = proven(in: evidence)
            mistakes = [Diagnosis.finding(reason, trial.exchange, request)]
            isProven = true
        case .dropped, .refused: explain(evidence)
        }
        notes.removeAll { note in mistakes.contains { $0.name == note.name } }
    }

    /// The key with which the responder accepted the credential.
    private func proven(in evidence: Evidence) -> Key? {
        let id = evidence.isShared ? [] : trial.exchange.key?.id
        return evidence.claimed.first { $0.id == id }.map(Key.init)
    }

    private mutating func explain(_ evidence: Evidence) {
        var search = ProofSearch(evidence)
        let proof = search.run()
        tried = search.tried
        key = proof.map { Key($0.key) }
        if trial.outcome == .dropped, let finding = LengthDiffers().finding(in: evidence) {
            mistakes = [finding] + (proof?.mistakes ?? [])
            isProven = true
        } else if let proof, !proof.mistakes.isEmpty {
            mistakes = proof.mistakes
            isProven = true
        } else {
            mistakes = Observations.all.compactMap { $0.finding(in: evidence) }
        }
    }

    /// A refusal that has nothing to do with the credential.
    private static func finding(_ reason: Reason, _ exchange: Exchange, _ request: SavedRequest) -> Finding {
        let rows = exchange.faults.map { text($0.line) }
        let details = rows.isEmpty ? "" : ": " + rows.joined(separator: "; ")
        let advice =
            switch reason {
            case .unknownPath:
                "post to /webhook/servicedesk, or to /webhook/servicedesk/SENDER if the tenants file has senders"
            case .methodNotAllowed:
                "use POST, not \(quoted(request.method.utf8, limit: 20)); a redirect turns a POST into a GET"
            case .unsupportedMediaType: "send Content-Type: application/json"
            case .lengthRequired: "send Content-Length: mode token or basic does not prove that the body is whole"
            case .invalidJSON, .invalidFields: "correct the payload; `servicedeskctl check` checks it, too"
            default: "see the contract in the README"
            }
        return Finding(name: "\(reason.label)", text: "\(reason.status) \(reason.detail)\(details)", advice: advice)
    }
}
