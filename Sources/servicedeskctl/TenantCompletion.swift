import ArgumentParser
import Tenants

extension CompletionKind {
    /// The ids in the tenants file; none if it cannot be read.
    static func ids(of kind: OwnerKind) -> CompletionKind {
        .custom { words, _, _ in document(words)?.owners(kind).map(\.id) ?? [] }
    }

    /// The ids of the keys of the tenant or sender that the command line names.
    static func keys(of kind: OwnerKind) -> CompletionKind {
        .custom { words, _, _ in
            (document(words)?.owners(kind) ?? []).filter { words.contains($0.id) }.flatMap { $0.keys.map(\.id) }
        }
    }

    private static func document(_ words: [String]) -> TenantsDocument? {
        let option = words.firstIndex(of: "--tenants-file").map { words[($0 + 1)...].first } ?? nil
        guard let path = option ?? (try? Environment.text("SERVICEDESK_TENANTS_FILE")) else { return nil }
        return try? TenantsStore(path: path).read().document
    }
}
