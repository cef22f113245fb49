import ArgumentParser
import JSON
import Tenants
import Webhook

/// `servicedeskctl tenant limit ID --per-second R --burst N`
struct LimitTenant: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limit", abstract: "Limits how many requests a tenant may make, or ends that.",
        discussion: """
            A request beyond the limit is answered 429 with Retry-After, and its ticket is not queued. A sender may never \
            repeat a post that was answered so. --none removes a limit; a tenant without one of its own then has the default.

            \(TenantCommands.statuses)
            """)

    @Argument(help: "The tenant's id.", completion: .ids(of: .tenant)) var id: String?
    @Flag(help: "The limit of each tenant that has none of its own, in place of a tenant's.") var `default` = false
    @Option(help: "Requests a second, such as 5 or 0.5.") var perSecond: String?
    @Option(help: "Requests that may come at once.") var burst: Int?
    @Flag(help: "Remove the limit.") var none = false
    @OptionGroup var options: EditOptions

    func validate() throws {
        guard (id == nil) == `default` else { throw ValidationError("give a tenant's id or --default") }
        guard none ? perSecond == nil && burst == nil : perSecond != nil && burst != nil else {
            throw ValidationError("give --per-second and --burst, or --none")
        }
        if !none && limit == nil {
            throw ValidationError(
                """
                --per-second is above 0 and at most \(RateLimit.rates.upperBound / 1000), with at most three decimals; \
                --burst from \(RateLimit.bursts.lowerBound) to \(RateLimit.bursts.upperBound)
                """)
        }
    }

    private var limit: RateLimit? {
        guard let perSecond, let burst, let rate = RateLimit.thousandths(Array(perSecond.utf8).span) else { return nil }
        return RateLimit(thousandths: rate, burst: burst)
    }

    func run() throws {
        try options.edit { document in
            try document.limit(tenant: id, to: limit)
        } announce: {
            let ids: [(name: String, value: JSONTree)] = id.map { [("id", .string($0))] } ?? []
            try options.announce(.tenant, ids + (limit.map { [("limit", $0.tree)] } ?? []))
        }
    }
}
