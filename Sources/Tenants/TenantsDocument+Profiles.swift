package import JSON

/// The profiles of the file.
extension TenantsDocument {
    package var profiles: [JSONTree] { root["profiles"]?.elements ?? [] }

    /// Adds a profile.
    ///
    /// - Parameter replacing: whether it takes the place of one with the same id.
    package mutating func add(profile: JSONTree, replacing: Bool) throws(EditRefusal) {
        guard let id = profile["id"]?.string else { throw EditRefusal("the profile has no id") }
        var all = profiles
        if let index = all.firstIndex(where: { $0["id"]?.string == id }) {
            guard replacing else { throw EditRefusal("the file has the profile \(id) already: --replace replaces it") }
            all[index] = profile
        } else {
            all.append(profile)
        }
        root["profiles"] = .array(all)
    }

    package mutating func removeProfile(_ id: String) throws(EditRefusal) {
        guard profiles.contains(where: { $0["id"]?.string == id }) else {
            throw EditRefusal("the file has no profile \(id)")
        }
        if let sender = owners(.sender).first(where: { $0.profile == id }) {
            throw EditRefusal("the sender \(sender.id) has the profile \(id): `sender profile` gives it another")
        }
        let rest = profiles.filter { $0["id"]?.string != id }
        root["profiles"] = rest.isEmpty ? nil : .array(rest)
    }

    /// Gives a sender another profile, or none.
    package mutating func setProfile(_ profile: String?, of sender: String) throws(EditRefusal) {
        try change(.sender, sender) { owner in owner.profile = profile }
    }
}
