import Bytes
package import JSON
import Webhook

/// Whose keys the tenants file has.
package enum OwnerKind: String, Sendable {
    case tenant, sender

    /// The member of the file that has all of them.
    package var member: String { "\(self)s" }
}

/// Why an edit is not made.
package struct EditRefusal: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// The tenants file in memory, as it is edited: what an edit does not concern stays as it is, in its order.
package struct TenantsDocument {
    package internal(set) var root: JSONTree

    /// A file without tenants, which only an edit makes valid.
    package init() { root = ["tenants": []] }

    /// Reads the text of a file.
    package init(_ text: Span<UInt8>) throws(JSONFault) { root = try JSONTree(text) }

    init(root: JSONTree) { self.root = root }

    package var text: [UInt8] { root.text + [.lineFeed] }

    // MARK: Owners

    /// A tenant or a sender.
    package struct Owner {
        package let kind: OwnerKind
        package fileprivate(set) var tree: JSONTree

        package var id: String { tree["id"]?.string ?? "" }
        package var isActive: Bool { tree["active"]?.boolean ?? true }
        /// A tenant's own.
        package internal(set) var limit: JSONTree? {
            get { tree["limit"] }
            set { tree["limit"] = newValue }
        }
        /// Those that a sender delivers for.
        var tenants: [String] {
            let table = tree["tenant_from"]?["tenants"]?.members ?? []
            return ([tree["tenant"]] + table.map { $0.value }).compactMap { $0?.string }
        }
        /// How a sender's payloads are mapped; nil if they are not.
        package internal(set) var profile: String? {
            get { tree["profile"]?.string }
            set { tree["profile"] = newValue.map { .string($0) } }
        }
        package internal(set) var keys: [Key] {
            get { (tree["keys"]?.elements ?? []).map(Key.init) }
            set { tree["keys"] = newValue.isEmpty ? nil : .array(newValue.map(\.tree)) }
        }
    }

    /// In the order of the file.
    package func owners(_ kind: OwnerKind) -> [Owner] {
        (root[kind.member]?.elements ?? []).map { Owner(kind: kind, tree: $0) }
    }

    package func owner(_ kind: OwnerKind, _ id: String) throws(EditRefusal) -> Owner {
        guard let owner = owners(kind).first(where: { $0.id == id }) else {
            throw EditRefusal("the file has no \(kind) \(id)")
        }
        return owner
    }

    /// Adds a tenant or a sender with its first keys.
    ///
    /// - Parameter members: further ones, which stand between id and keys.
    package mutating func add(
        _ kind: OwnerKind, _ id: String, members: [(name: String, value: JSONTree)] = [], keys: [JSONTree]
    ) throws(EditRefusal) {
        guard !owners(kind).contains(where: { $0.id == id }) else {
            throw EditRefusal("the file has the \(kind) \(id) already: `\(kind) rotate` adds a key")
        }
        let keys: [(name: String, value: JSONTree)] = keys.isEmpty ? [] : [("keys", .array(keys))]
        let elements = root[kind.member]?.elements ?? []
        root[kind.member] = .array(elements + [.object([("id", .string(id))] + members + keys)])
    }

    /// Changes a tenant or a sender.
    mutating func change(
        _ kind: OwnerKind, _ id: String, _ change: (inout Owner) throws(EditRefusal) -> Void
    ) throws(EditRefusal) {
        var owner = try owner(kind, id)
        try change(&owner)
        var elements = root[kind.member]?.elements ?? []
        guard let index = elements.firstIndex(where: { $0["id"]?.string == id }) else { return }
        elements[index] = owner.tree
        root[kind.member] = .array(elements)
    }
}

extension TenantsDocument {
    /// A key of a tenant or a sender.
    package struct Key {
        package internal(set) var tree: JSONTree

        package var id: String { tree["id"]?.string ?? "" }
        package var mode: String { tree["mode"]?.string ?? "" }
        /// Seconds since 1970.
        package var notBefore: Int? { moment("not_before") }
        package var notAfter: Int? { moment("not_after") }

        private func moment(_ name: String) -> Int? {
            guard let text = tree[name]?.string.map({ Array($0.utf8) }), Timestamp.isDateTime(text.span) else {
                return nil
            }
            return Timestamp.seconds(of: text.span)
        }

        package enum State: Equatable {
            case accepted(until: Int?)
            case notYetValid(from: Int)
            case expired(at: Int)
        }

        /// - Parameter now: seconds since 1970.
        package func state(at now: Int) -> State {
            if let notBefore, now < notBefore { return .notYetValid(from: notBefore) }
            if let notAfter, now > notAfter { return .expired(at: notAfter) }
            return .accepted(until: notAfter)
        }

        package func isAccepted(at now: Int) -> Bool {
            if case .accepted = state(at: now) { true } else { false }
        }
    }
}
