import System
import Webhook

/// What tenants have left of their limits: in a file that the processes of a socket share, or in this process alone where
/// that is not possible.
///
/// It is made off the loop; afterwards only the loop uses it.
final class TenantAllowances: Allowances, @unchecked Sendable {
    /// Room for so many tenants.
    static let layout = SlotFile.Layout(file: "limits-1", slots: 131_072, words: 1)

    /// Why some tenants are limited by this process alone.
    enum Fault: Equatable, Sendable {
        case noDirectory
        case noFile(String)
        /// So many tenants have no room in the file.
        case full(Int)
    }

    private var file: SlotFile?
    /// By the tenants' indices.
    private var places: [Int: SlotFile.Place] = [:]
    private(set) var fault: Fault?
    /// The theoretical arrival times of tenants that are limited by this process alone.
    private var arrivals: [Int: UInt64] = [:]
    private let clock: @Sendable () -> UInt64

    /// Nil if no tenant has a limit. Waits for other processes that do the same at the same time.
    ///
    /// - Parameters:
    ///   - directory: where the processes share the file.
    ///   - clock: nanoseconds of the clock that all processes of the machine have.
    init?(
        of tenants: TenantTable, directory: String?, layout: SlotFile.Layout = TenantAllowances.layout,
        clock: @escaping @Sendable () -> UInt64 = { Instant.now.nanoseconds }
    ) {
        self.clock = clock
        let tenants = tenants.limitedTenants()
        guard !tenants.isEmpty else { return nil }
        guard let directory else {
            fault = .noDirectory
            return
        }
        let names = tenants.map { SlotFile.Name(digest: $0.digest.span) }
        do throws(SystemError) {
            let file = try SlotFile(directory: directory, layout)
            let found = try file.places(of: names, leastFirst: 0) { file.isOwn($0) ? nil : [0] }
            for (tenant, name) in zip(tenants, names) { places[tenant.index] = found[name] }
            self.file = file
        } catch {
            fault = .noFile("\(error)")
        }
        if fault == nil && places.count < tenants.count { fault = .full(tenants.count - places.count) }
    }

    /// Whether the file was truncated.
    var isFileLost: Bool { file?.hasLostPages ?? false }

    func take(of tenant: Int, within limit: RateLimit) -> UInt64? {
        var wait: UInt64?
        // The clock is read after the word, as `decide` demands.
        let next = { (arrival: UInt64) -> UInt64? in
            switch limit.decide(arrival: arrival, now: self.clock()) {
            case .passes(let arrival):
                wait = nil
                return arrival
            case .waits(let nanoseconds):
                wait = nanoseconds
                return nil
            }
        }
        if let file, let place = places[tenant], file.replace(0, of: place, next) { return wait }
        if let arrival = next(arrivals[tenant] ?? 0) { arrivals[tenant] = arrival }
        return wait
    }
}

extension TenantAllowances.Fault {
    var text: String {
        switch self {
        case .noDirectory: "each process limits tenants for itself: SERVICEDESK_RUNTIME_DIR is not set"
        case .noFile(let error):
            "this process limits tenants for itself: SERVICEDESK_RUNTIME_DIR cannot hold their limits (\(error))"
        case .full(let count): "each process limits \(count) tenants for itself: their limits have no room in the file"
        }
    }
}

extension Responder {
    /// From now on tenants are limited by these; a fault is told once.
    mutating func limit(by allowances: TenantAllowances?) {
        handler.allowances = allowances
        self.allowances = allowances
        if let fault = allowances?.fault, fault != toldAllowancesFault { log.line(.error, fault.text) }
        toldAllowancesFault = allowances?.fault
        isLossOfAllowancesTold = false
    }

    /// Once, however many pages there are.
    mutating func logLostAllowances() {
        guard let allowances, !isLossOfAllowancesTold, allowances.isFileLost else { return }
        isLossOfAllowancesTold = true
        log.line(
            .error,
            "the limits file in SERVICEDESK_RUNTIME_DIR was truncated: each process limits tenants for itself until the tenants are reloaded"
        )
    }
}
