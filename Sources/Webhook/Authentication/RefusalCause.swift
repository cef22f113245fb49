/// Why a request is answered 401. For the log and the metrics: the response says only whether there is no credential at all.
///
/// The numbers are a format that processes of two versions share (the counters' pages): each keeps its meaning.
package enum RefusalCause: UInt8, CaseIterable {
    case headerMissing = 0
    case headerMalformed = 1
    case unknownTenant = 2
    case unknownSender = 3
    case noKeyMatches = 4
    case modeNotAccepted = 5
    case keyNotYetValid = 6
    case keyExpired = 7
    /// The signed time is too far from now.
    case stale = 8
    /// The credential would reveal its key to whoever can read the request.
    case notEncrypted = 9
    /// The value in the payload stands for none of the sender's tenants.
    case valueUnknown = 10
    case inactiveTenant = 11
    case inactiveSender = 12
    /// The payload names another tenant than the one whose key it is.
    case otherTenant = 13

    package var label: StaticString {
        switch self {
        case .headerMissing: "header missing"
        case .headerMalformed: "header malformed"
        case .unknownTenant: "tenant unknown"
        case .unknownSender: "sender unknown"
        case .noKeyMatches: "no key matches"
        case .modeNotAccepted: "mode not accepted"
        case .keyNotYetValid: "key not yet valid"
        case .keyExpired: "key expired"
        case .stale: "timestamp stale"
        case .notEncrypted: "not over TLS"
        case .valueUnknown: "value stands for no tenant"
        case .inactiveTenant: "tenant inactive"
        case .inactiveSender: "sender inactive"
        case .otherTenant: "the payload names another tenant"
        }
    }
}
