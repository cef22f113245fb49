import Webhook

/// The same JSON, written by another serialiser than the one that wrote the body.
struct RewrittenJSON: SigningHypothesis {
    func alternatives(to signing: Signing, _ request: SavedRequest, _ key: HeldKey) -> [Alternative] {
        guard let json = LosslessJSON(signing.body) else { return [] }
        var seen: Set<[UInt8]> = [signing.body]
        return RewrittenJSON.styles.compactMap { style in
            let body = json.text(style)
            guard seen.insert(body).inserted else { return nil }
            return Alternative(
                change: .body(body),
                finding: Finding(
                    name: "rewritten-json", text: "signed is the same JSON in other bytes: \(style.name)",
                    advice: """
                        serialise the payload once, sign that text, and send that text: many HTTP clients serialise an object \
                        that they are given again
                        """))
        }
    }

    private static let styles = JSONStyle.Layout.all.flatMap { layout in
        [false, true].flatMap { isSorted in
            JSONStyle.Escaping.allCases.map { JSONStyle(layout: layout, isSorted: isSorted, escaping: $0) }
        }
    }
}
