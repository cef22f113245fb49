import Bytes

/// The modes that the keys of a table have, each once.
package struct KeyModes {
    /// All that there are.
    package static let types: [any KeyMode.Type] = [
        ServiceDeskMode.self, StandardWebhooksMode.self, HMACMode.self, TokenMode.self, BasicMode.self,
    ]
    /// Different modes of one file, at most: each costs every request a look.
    package static let limit = 64

    package static func named(_ name: String) -> (any KeyMode.Type)? { types.first { $0.name == name } }

    private(set) var headers = HeaderNames()
    private(set) var modes: [any KeyMode] = []
    /// Of each mode, what a request that was accepted with it is told apart by.
    private(set) var traits: [Traits] = []
    private(set) var parameters: [ModeParameters] = []
    private var indices: [ModeParameters: Int] = [:]

    /// Only that of a file of lines.
    static let servicedesk: KeyModes = {
        var modes = KeyModes()
        var faults: [ModeFault] = []
        _ = modes.add(ModeParameters(mode: ServiceDeskMode.name), &faults)
        return modes
    }()

    /// The number of a mode, which is added if it is new; nil if it has faults.
    mutating func add(_ parameters: ModeParameters, _ faults: inout [ModeFault]) -> Int? {
        if let index = indices[parameters] { return index }
        guard let type = KeyModes.named(parameters.mode) else {
            let names = KeyModes.types.map { $0.name }.joined(separator: ", ")
            faults.append(ModeFault(member: .mode, text: "expected one of \(names)"))
            return nil
        }
        let count = faults.count
        let unused = parameters.given.subtracting(type.members).sorted { $0.rawValue < $1.rawValue }
        for member in unused { faults.append(ModeFault(member: member, text: "is not used by mode \(type.name)")) }
        let mode = type.init(parameters, headers: &headers, faults: &faults)
        if modes.count == KeyModes.limit {
            faults.append(ModeFault(member: .mode, text: "the file has more than \(KeyModes.limit) different modes"))
        }
        guard faults.count == count else { return nil }
        modes.append(mode)
        traits.append(
            Traits(
                name: Array(type.name.utf8), signsBody: type.signsBody, signsDeliveryID: type.signsDeliveryID,
                isAcceptedInClear: !type.needsEncryption || parameters.allowsPlaintext == true))
        self.parameters.append(parameters)
        indices[parameters] = modes.count - 1
        return modes.count - 1
    }

    struct Traits {
        let name: [UInt8]
        let signsBody: Bool
        let signsDeliveryID: Bool
        /// Whether it is accepted without TLS.
        let isAcceptedInClear: Bool
    }
}

extension ModeParameters {
    /// The number of a header that the file names.
    func addHeader(
        _ member: Member, default standard: String? = nil, to headers: inout HeaderNames, _ faults: inout [ModeFault]
    ) -> Int {
        guard let name = texts[member] ?? standard else {
            faults.append(ModeFault(member: member, text: "expected the name of a header"))
            return 0
        }
        guard HeaderNames.isHeaderName(name) else {
            faults.append(
                ModeFault(
                    member: member, text: "expected 1 to \(HeaderNames.limit) letters, digits and - (no underscore)"))
            return 0
        }
        return headers.add(name)
    }

    /// Text that may be left out.
    func bytes(_ member: Member, limit: Int, _ faults: inout [ModeFault]) -> [UInt8] {
        let bytes = Array((texts[member] ?? "").utf8)
        if bytes.count > limit || bytes.contains(where: { $0 < .space || $0 > UInt8(ascii: "~") }) {
            faults.append(ModeFault(member: member, text: "expected at most \(limit) printable ASCII characters"))
        }
        return bytes
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ member: Member, default standard: Choice, _ faults: inout [ModeFault]
    ) -> Choice {
        guard let text = texts[member] else { return standard }
        if let choice = Choice(rawValue: text) { return choice }
        let accepted = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        faults.append(ModeFault(member: member, text: "expected one of \(accepted)"))
        return standard
    }
}
