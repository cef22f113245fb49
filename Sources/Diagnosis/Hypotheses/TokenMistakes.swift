import Bytes
import Webhook

/// The secret of a key that should sign, sent as it is.
struct SecretSent: TokenHypothesis {
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding? {
        guard key.form != nil else { return nil }
        return Finding(
            name: "secret-sent",
            text:
                "the secret of \(key.title) itself is in the header \(token.header); mode \(key.modeName) signs with it",
            advice: "send \(key.instruction), with a new secret: whoever could read this request knows the old one")
    }
}

/// A token sent as a password, or a password as a token.
struct OtherTokenMode: TokenHypothesis {
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding? {
        guard key.form == nil, (token.user != nil) != (key.modeName == BasicMode.name) else { return nil }
        let sent = token.user == nil ? TokenMode.name : BasicMode.name
        return Finding(
            name: "wrong-mode",
            text: "what is sent has the form of mode \(sent), but \(key.title) has mode \(key.modeName)",
            advice: "send \(key.instruction), or give the key mode \(sent)")
    }
}

struct TokenInOtherHeader: TokenHypothesis {
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding? {
        guard key.form == nil, !token.header.isHeader(key.header) else { return nil }
        return UnderscoreInHeader.finding(token.header, key)
            ?? Finding(
                name: "header-name",
                text: "the right token is in the header \(quoted(token.header.utf8)), not in \(key.header)",
                advice: "send \(key.instruction), or give the key this header")
    }
}

struct TokenPrefix: TokenHypothesis {
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding? {
        guard key.form == nil, token.header.isHeader(key.header),
            (token.user != nil) == (key.modeName == BasicMode.name)
        else {
            return nil
        }
        let standard = key.modeName == BasicMode.name ? "Basic " : key.header.isHeader("Authorization") ? "Bearer " : ""
        let expected = key.parameters.texts[.prefix] ?? standard
        guard text(token.prefix).lowercased() != expected.lowercased() else { return nil }
        let before = token.prefix.isEmpty ? "nothing" : quoted(token.prefix, limit: 20)
        return Finding(
            name: "prefix",
            text:
                "before the right token stands \(before), not \(expected.isEmpty ? "nothing" : quoted(expected.utf8))",
            advice: "send the header as: \(key.header): \(expected)…")
    }
}

struct TokenInQuotes: TokenHypothesis {
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding? {
        guard key.form == nil, token.isQuoted else { return nil }
        return Finding(
            name: "quotes", text: "the right token has quotation marks around it",
            advice: "send it without the quotation marks")
    }
}

struct OtherUser: TokenHypothesis {
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding? {
        guard key.modeName == BasicMode.name, let user = token.user, user != key.secret.user else { return nil }
        return Finding(
            name: "basic-user", text: "the password is right, but the user is not the one that the tenants file has",
            advice: "send the user \(quoted(key.secret.user ?? []))")
    }
}

struct PasswordUnencoded: TokenHypothesis {
    func finding(_ token: PresentedToken, _ key: HeldKey) -> Finding? {
        guard key.modeName == BasicMode.name, token.user != nil, !token.isEncoded else { return nil }
        return Finding(
            name: "basic-unencoded", text: "user and password are right, but not in base64",
            advice: "send Authorization: Basic and the base64 of user:password")
    }
}
