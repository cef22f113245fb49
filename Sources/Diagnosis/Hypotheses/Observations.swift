import Bytes
import JSON
import Webhook

/// A body that is not as long as declared.
struct LengthDiffers: Observation {
    func finding(in evidence: Evidence) -> Finding? {
        let count = evidence.request.body.count
        guard let declared = evidence.request.declaredLength, declared != count else { return nil }
        let characters = text(evidence.request.body).unicodeScalars.count
        if declared == characters {
            return Finding(
                name: "length-in-characters",
                text: "Content-Length is \(declared), the number of characters of the body, which has \(count) bytes",
                advice: "declare the number of bytes: otherwise the body is cut")
        }
        return Finding(
            name: declared > count ? "body-truncated" : "body-too-long",
            text: "Content-Length is \(declared), but the body has \(count) bytes",
            advice: declared > count
                ? "the body was cut on its way, or when it was saved: look for a proxy with a limit, and save it again"
                : "the sender's Content-Length is wrong, or something was added when the body was saved")
    }
}

/// Nobody whom the tenants file has.
struct OwnerUnknown: Observation {
    func finding(in evidence: Evidence) -> Finding? {
        let claimant = evidence.claimant
        guard evidence.cause == .unknownTenant || evidence.cause == .unknownSender else { return nil }
        let kind = claimant.isSender ? "sender" : "tenant"
        guard !claimant.id.isEmpty else {
            return Finding(
                name: "tenant-missing", text: "no tenant_id was found in the body",
                advice:
                    "put it into the outermost object of the payload, or make the help desk a sender with a path of its own"
            )
        }
        let simple = OwnerUnknown.simplified(claimant.id)
        let known = evidence.keys.first {
            $0.isSender == claimant.isSender && OwnerUnknown.simplified($0.owner) == simple
        }
        let hint = known.map { "; it has \(quoted($0.owner))" } ?? ""
        return Finding(
            name: "\(kind)-unknown", text: "the tenants file has no \(kind) \(quoted(claimant.id))\(hint)",
            advice:
                "add it with `servicedeskctl \(kind) add`, or correct the \(claimant.isSender ? "path" : "tenant_id")")
    }

    private static func simplified(_ id: [UInt8]) -> [UInt8] {
        id.map(\.lowercased).filter { $0.isLowercaseLetter || $0.isDigit }
    }
}

/// No credential where the keys' modes look for one.
struct HeaderAbsent: Observation {
    func finding(in evidence: Evidence) -> Finding? {
        let keys = evidence.claimed
        let expected = keys.isEmpty ? evidence.keys : keys
        guard evidence.cause != nil, expected.allSatisfy({ evidence.request.value(of: $0.header) == nil }) else {
            return nil
        }
        for key in expected {
            for field in evidence.request.fields {
                if let finding = UnderscoreInHeader.finding(field.name, key) { return finding }
            }
        }
        let headers = Set(expected.map(\.header)).sorted().prefix(5)
        let others = evidence.request.fields.map(\.name).filter { name in
            let name = name.lowercased()
            return name == "authorization"
                || ["sign", "hmac", "token", "secret", "digest"].contains { name.contains(word: $0) }
        }
        let found =
            others.isEmpty ? "" : "; there is \(others.map { quoted($0.utf8, limit: 60) }.joined(separator: ", "))"
        return Finding(
            name: "header-missing", text: "the request has no \(headers.joined(separator: " or "))\(found)",
            advice: keys.count == 1
                ? "send \(keys[0].instruction); if the sender does, something before nginx removes it"
                : "let the sender send one of these headers; if it does, something before nginx removes it")
    }
}

/// No signed time, where the mode needs one.
struct TimeAbsent: Observation {
    func finding(in evidence: Evidence) -> Finding? {
        for key in evidence.claimed {
            guard let form = key.form, evidence.request.value(of: form.header) != nil else { continue }
            for case .header(let name) in form.signed where evidence.request.value(of: name) == nil {
                return Finding(
                    name: "signed-header-missing",
                    text: "mode \(key.modeName) signs the header \(name), which the request does not have",
                    advice: "send \(name), and sign \(OtherContent.description(of: form.signed))")
            }
        }
        return nil
    }
}

/// A body that is not a JSON object.
struct BodyIsNotJSON: Observation {
    func finding(in evidence: Evidence) -> Finding? {
        let body = evidence.request.body
        do throws(JSONFault) {
            var reader = JSONReader()
            try reader.beginObject(in: body.span)
            while try reader.nextKey(in: body.span) != nil { try reader.skipValue(in: body.span) }
            try reader.end(in: body.span)
            return nil
        } catch {
            if let finding = BodyIsNotJSON.otherFormat(of: body) ?? FormEncoded.finding(in: evidence) { return finding }
            // A sender with a profile may send a form.
            if evidence.trial.exchange.bodyType == .form && evidence.trial.allowsForms { return nil }
            let isCut = error.kind == .unexpectedEnd
            return Finding(
                name: isCut ? "body-truncated" : "body-not-json",
                text: isCut
                    ? "the body ends in the middle of its JSON"
                    : "the body is not JSON: \(error.kind.rawValue) at byte \(error.offset)",
                advice: isCut
                    ? "it was cut on its way, or when it was saved: compare its length with the sender's"
                    : "let a serialiser write the JSON, rather than joining strings, and send it in UTF-8 without a byte-order mark"
            )
        }
    }

    /// What it is instead, if that can be told.
    private static func otherFormat(of body: [UInt8]) -> Finding? {
        if body.isEmpty {
            return Finding(
                name: "body-empty", text: "the body is empty",
                advice: "send the payload as the body; look for a redirect, which turns a POST into a GET")
        }
        if JSONInJSON.content(of: body) != nil {
            return Finding(
                name: "json-in-json", text: "the body is a JSON string, not an object",
                advice: "serialise the payload once only")
        }
        let isUTF16 = body.starts(with: [0xFF, 0xFE]) || body.starts(with: [0xFE, 0xFF]) || body.prefix(2).contains(0)
        guard isUTF16 || body.starts(with: [0xEF, 0xBB, 0xBF]) else { return nil }
        return Finding(
            name: "text-encoding", text: "the body \(isUTF16 ? "is UTF-16" : "begins with a byte-order mark")",
            advice: "send the JSON in UTF-8, without a byte-order mark")
    }
}

/// A credential in a header that nginx does not pass on as it is shipped.
struct HeaderNotPassed: Observation {
    func finding(in evidence: Evidence) -> Finding? {
        for key in evidence.claimed {
            let variables = ([key.header] + [key.form?.time?.header].compactMap { $0 }).filter {
                evidence.request.value(of: $0) != nil
            }.map { HeaderNames.text(of: $0) }
            guard let variable = variables.first(where: { !HeaderNames.passed.contains($0) }) else { continue }
            return Finding(
                name: "header-not-passed",
                text: "nginx/servicedesk/pass.conf, as it is shipped, does not pass the header of \(key.title) on",
                advice:
                    "add to pass.conf, if it is not there yet: fastcgi_param \(variable) $\(variable.lowercased()) if_not_empty;"
            )
        }
        return nil
    }
}
