import System
import Webhook

/// Where the uses of a table's keys are noted: of those that are one of several, and those that were.
struct KeyPlaces: Sendable {
    private var places: [Int: KeyUses.Place] = [:]
    /// Why there are none.
    private(set) var failure: SystemError?

    init() {}

    /// Waits for other processes that look for places at the same time. None if the file cannot be locked.
    init(of tenants: TenantTable, in uses: KeyUses?) {
        guard let uses else { return }
        let keys = tenants.namedKeys().map { key in
            (
                index: key.key, isOneOfSeveral: key.isOneOfSeveral,
                key: KeyUses.Key(KeyUses.Name(digest: key.digest.span), secret: tenants.secretMark(ofKey: key.key))
            )
        }
        let now = Int(WallClock.now.microseconds / 1_000_000)
        do throws(SystemError) {
            let found = try uses.places(
                of: keys.filter(\.isOneOfSeveral).map(\.key), andIfKnown: keys.filter { !$0.isOneOfSeveral }.map(\.key),
                now: now)
            for key in keys { places[key.index] = found[key.key.name] }
        } catch {
            failure = error
        }
    }

    subscript(key: Int) -> KeyUses.Place? { places.isEmpty ? nil : places[key] }
}

extension KeyUses {
    /// The file in a directory, or why there is none.
    static func shared(in directory: String?) -> (KeyUses?, SystemError?) {
        guard let directory else { return (nil, nil) }
        do throws(SystemError) {
            return (try KeyUses(directory: directory), nil)
        } catch {
            return (nil, error)
        }
    }
}

extension Responder {
    /// From now on these tenants are used: other programs can see that, and uses of their keys are noted.
    mutating func use(_ tenants: TenantTable, _ places: KeyPlaces) {
        metrics.set(.tenantsDigest, tenants.fileDigest)
        keyPlaces = places
        if let failure = places.failure { log.line(.error, "the uses of keys are not noted (\(failure))") }
    }

    /// Notes that a request was accepted with a key.
    func noteUse(of key: Int?) {
        guard let key, let place = keyPlaces[key], let keyUses else { return }
        keyUses.note(place, at: Timestamp.seconds(of: log.time.span))
    }
}
