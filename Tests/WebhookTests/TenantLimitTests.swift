import TestSupport
import Testing

@testable import Webhook

/// Which requests are charged, to whom, and what a refusal looks like.
struct TenantLimitTests {
    /// Lets a number of requests of each tenant pass.
    private final class Book: Allowances {
        var left: [Int: Int] = [:]
        private(set) var taken: [(tenant: Int, limit: RateLimit)] = []

        func take(of tenant: Int, within limit: RateLimit) -> UInt64? {
            taken.append((tenant, limit))
            guard left[tenant, default: 0] > 0 else { return 1_500_000_000 }
            left[tenant, default: 0] -= 1
            return nil
        }
    }

    private static let own = RateLimit(thousandths: 500, burst: 3)!
    private static let usual = RateLimit(thousandths: 5000, burst: 100)!
    private static let other = String(repeating: "k", count: 32)

    private func table(limit: String = #","limit":{"per_second":5,"burst":100}"#) throws -> TenantTable {
        let key = { (secret: String) in #""keys":[{"id":"1","mode":"servicedesk","secret":"\#(secret)"}]"# }
        return try TenantsJSON.parse(
            utf8(
                #"""
                {"tenants":[{"id":"acme","limit":{"per_second":0.5,"burst":3},\#(key(secret.text))},
                  {"id":"globex",\#(key(Self.other))},{"id":"initech"}],
                 "senders":[{"id":"msp",\#(key(Self.other + "2")),
                  "tenant_from":{"path":"account","tenants":{"A":"acme","I":"initech"}}},
                  {"id":"forms",\#(key(Self.other + "3")),"tenant":"acme","profile":"generic"}]\#(limit)}
                """#
            ).span
        ) { _ in .failure(SecretReadFault(description: "")) }
    }

    private func desk(_ book: Book, _ table: TenantTable) -> Desk {
        var desk = Desk(Secrets(tenants: table))
        desk.handler.allowances = book
        return desk
    }

    private func ticket(of tenant: String, _ secret: String) -> Request {
        Request {
            $0.body = Payload().with("tenant_id", #""\#(tenant)""#).bytes
            $0.signature = sign($0.body, with: utf8(secret))
        }
    }

    private func ticket(account: String) -> Request {
        Request {
            $0.path = "/msp"
            $0.body = Payload().without("tenant_id").adding("account", #""\#(account)""#).bytes
            $0.signature = sign($0.body, with: utf8(Self.other + "2"))
        }
    }

    @Test func `a tenant is charged by its own limit, or by the default, and a sender's ticket to its tenant`() throws {
        let book = Book()
        book.left = [0: 2, 1: 1, 2: 1]
        var desk = desk(book, try table())
        #expect(desk.handle(ticket(of: "acme", secret.text)).disposition == .queued)
        #expect(desk.handle(ticket(of: "globex", Self.other)).disposition == .queued)
        #expect(desk.handle(ticket(account: "I")).disposition == .queued)
        #expect(desk.handle(ticket(account: "A")).disposition == .queued)
        #expect(book.taken.map(\.tenant) == [0, 1, 2, 0])
        #expect(book.taken.map(\.limit) == [Self.own, Self.usual, Self.usual, Self.own])
        #expect(desk.handle(ticket(account: "A")).disposition == .answer(.rateLimited))
        #expect(desk.queue.pushes.count == 4)
    }

    @Test func `a refusal is a 429 with Retry-After, and names the proven tenant to the log`() throws {
        var desk = desk(Book(), try table())
        for request in [ticket(of: "acme", secret.text), ticket(account: "A")] {
            let outcome = desk.handle(request)
            #expect(outcome.answer.hasPrefix("Status: 429 Too Many Requests\r\n"))
            #expect(outcome.answer.contains("\r\nRetry-After: 2\r\n"))
            #expect(outcome.answer.contains(#""status":429,"detail":"Too many requests of this tenant","request_id""#))
            #expect(outcome.exchange.provenTenant == utf8("acme"))
            #expect(outcome.exchange.key?.id == utf8("1") && outcome.exchange.refusalCause == nil)
        }
    }

    /// A request that fails every check from authentication on; the faults are repaired in the order of the checks.
    @Test func `what is refused before is not charged; what is refused afterwards is`() throws {
        let book = Book()
        var desk = desk(book, try table())
        var request = ticket(of: "acme", Self.other)
        request.contentType = "text/plain"
        #expect(desk.handle(request).disposition == .answer(.invalidSignature))
        request.body = utf8(#"{"tenant_id":"acme",}"#)
        request.signature = sign(request.body)
        #expect(desk.handle(request).disposition == .answer(.unsupportedMediaType))
        request.contentType = "application/json"
        #expect(desk.handle(ticket(account: "nobody")).disposition == .answer(.invalidSignature))
        #expect(book.taken.isEmpty)
        #expect(desk.handle(request).disposition == .answer(.rateLimited))
        book.left = [0: 1]
        #expect(desk.handle(request).disposition == .answer(.invalidJSON))
        #expect(book.left == [0: 0])
    }

    @Test func `a form without a payload is charged to the sender's only tenant, as broken JSON is`() throws {
        let book = Book()
        book.left = [0: 2]
        var desk = desk(book, try table())
        for (body, type) in [("x=1", "application/x-www-form-urlencoded"), ("{", "application/json")] {
            let request = Request {
                $0.path = "/forms"
                $0.body = utf8(body)
                $0.contentType = type
                $0.signature = sign($0.body, with: utf8(Self.other + "3"))
            }
            let outcome = desk.handle(request)
            #expect(outcome.disposition == .answer(.invalidJSON) && outcome.exchange.provenTenant == utf8("acme"))
        }
        #expect(book.left == [0: 0])
    }

    @Test func `a tenant without a limit is not charged`() throws {
        let book = Book()
        var desk = desk(book, try table(limit: ""))
        #expect(desk.handle(ticket(of: "globex", Self.other)).disposition == .queued)
        #expect(desk.handle(ticket(account: "I")).disposition == .queued)
        #expect(book.taken.isEmpty)
    }

    @Test func `another limit is a change of the tenant`() throws {
        let (old, new) = (try table(), try table(limit: ""))
        #expect(new.changes(since: old).tenants.description == "0 added, 0 removed, 2 changed")
        #expect(old.changes(since: try table()).tenants.description == "0 added, 0 removed, 0 changed")
        #expect(old.limitedTenants().map(\.index) == [0, 1, 2] && new.limitedTenants().map(\.index) == [0])
    }

    private static let rate = "expected a number above 0, at most 100000, with at most three decimals"

    @Test(arguments: [
        ("5", "expected an object"), (#"{"per_second":5}"#, "expected burst"),
        ("{}", "expected per_second; %: expected burst"), (#"{"per_second":0,"burst":1}"#, ".per_second: \(rate)"),
        (#"{"per_second":0.0005,"burst":1}"#, ".per_second: \(rate)"),
        (#"{"per_second":100000.001,"burst":1}"#, ".per_second: \(rate)"),
        (#"{"per_second":"5","burst":1}"#, ".per_second: \(rate)"),
        (#"{"per_second":5,"burst":0}"#, ".burst: expected 1 to 1000000"),
        (#"{"per_second":5,"burst":1000001}"#, ".burst: expected 1 to 1000000"),
        (#"{"per_second":5,"burst":1.5}"#, ".burst: expected a whole number"),
        (#"{"per_second":5,"burst":1,"per_minute":1}"#, ".per_minute: unknown member"),
    ])
    func `a fault in a limit is told with its place`(limit: String, fault: String) {
        let key = #""keys":[{"id":"1","mode":"servicedesk","secret":"\#(Self.other)"}]"#
        let own = #"{"tenants":[{"id":"acme","limit":\#(limit),\#(key)}]}"#
        let usual = #"{"limit":\#(limit),"tenants":[{"id":"acme",\#(key)}]}"#
        for (text, place) in [(own, "tenants[0].limit"), (usual, "limit")] {
            let expected = fault.first == "." ? place + fault : "\(place): " + fault.replacing("%", with: place)
            let found = #expect(throws: TenantsFileFault.self) {
                try TenantsJSON.parse(utf8(text).span) { _ in .failure(SecretReadFault(description: "")) }
            }
            #expect(found.map { "\($0)" } == expected)
        }
    }
}
