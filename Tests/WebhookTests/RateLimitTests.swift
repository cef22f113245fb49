import TestSupport
import Testing

@testable import Webhook

/// The arithmetic of a tenant's limit.
struct RateLimitTests {
    /// A tenant's word, and a clock that the test moves.
    private struct Bucket {
        var limit: RateLimit
        var arrival: UInt64 = 0
        var now: UInt64 = 1_000_000_000_000

        init(_ thousandths: Int, _ burst: Int) { limit = RateLimit(thousandths: thousandths, burst: burst)! }

        /// Nil if the request passes, or the wait.
        mutating func request() -> UInt64? {
            switch limit.decide(arrival: arrival, now: now) {
            case .passes(let next):
                arrival = next
                return nil
            case .waits(let nanoseconds): return nanoseconds
            }
        }

        /// How many requests pass at this moment.
        mutating func passing(of count: Int) -> Int {
            var passed = 0
            for _ in 0..<count where request() == nil { passed += 1 }
            return passed
        }
    }

    @Test func `the burst passes at once, and then one request after each interval, to the nanosecond`() {
        var bucket = Bucket(4000, 3)
        #expect(bucket.passing(of: 10) == 3)
        #expect(bucket.request() == 250_000_000)
        bucket.now += 249_999_999
        #expect(bucket.request() == 1)
        bucket.now += 1
        #expect(bucket.passing(of: 10) == 1)
        #expect(bucket.request() == 250_000_000)
        bucket.now += 500_000_000
        #expect(bucket.passing(of: 10) == 2)
        bucket.now += 3_600_000_000_000
        #expect(bucket.passing(of: 10) == 3, "idle time fills the burst, and no more")
    }

    @Test func `a refused request costs nothing`() {
        var bucket = Bucket(1000, 1)
        #expect(bucket.passing(of: 1) == 1)
        #expect(bucket.passing(of: 1000) == 0)
        bucket.now += 1_000_000_000
        #expect(bucket.request() == nil)
    }

    @Test(arguments: [(1, 1_000_000_000_000), (500, 2_000_000_000), (3000, 333_333_333), (100_000_000, 10_000)])
    func `who keeps to the rate is never refused`(thousandths: Int, interval: UInt64) {
        var bucket = Bucket(thousandths, 1)
        #expect(bucket.limit.interval == interval)
        for _ in 0..<100 {
            #expect(bucket.request() == nil)
            bucket.now += interval
        }
    }

    @Test func `whenever requests come, no more pass than the burst and one for each interval`() {
        for seed in 0..<200 {
            var random = SplitMix64(seed: UInt64(seed))
            var bucket = Bucket(Int.random(in: 1...10_000, using: &random), Int.random(in: 2...20, using: &random))
            let (start, interval) = (bucket.now, bucket.limit.interval)
            var passed: UInt64 = 0
            var isWithin = true
            for _ in 0..<500 {
                bucket.now += UInt64.random(in: 0...interval * 2 / 3, using: &random)
                if bucket.request() == nil { passed += 1 }
                isWithin = isWithin && passed <= UInt64(bucket.limit.burst) + (bucket.now - start) / interval
            }
            #expect(isWithin && passed >= (bucket.now - start) / interval)
        }
    }

    @Test func `a stored time further ahead than the burst counts for nothing`() {
        var bucket = Bucket(1000, 10)
        bucket.arrival = bucket.now + 10_000_000_000
        #expect(bucket.request() == 1_000_000_000)
        bucket.arrival += 1
        #expect(bucket.passing(of: 20) == 10)
        // A limit that was made smaller, and one that was made larger.
        bucket.limit = RateLimit(thousandths: 1000, burst: 4)!
        #expect(bucket.passing(of: 20) == 4)
        bucket.limit = RateLimit(thousandths: 1000, burst: 6)!
        #expect(bucket.passing(of: 20) == 2)
        // The machine was started again: its clock began at 0.
        bucket.now = 5_000_000_000
        #expect(bucket.passing(of: 20) == 6)
    }

    @Test func `no time and no limit overflows`() {
        let times: [UInt64] = [0, 1, 1 << 63, .max - 1, .max]
        for thousandths in [1, 2, 999, 100_000_000] {
            for burst in [1, 1_000_000] {
                for arrival in times {
                    for now in times {
                        let limit = RateLimit(thousandths: thousandths, burst: burst)!
                        if case .waits(let wait) = limit.decide(arrival: arrival, now: now) {
                            #expect(wait > 0 && wait <= limit.interval)
                        }
                    }
                }
            }
        }
        var longest = Bucket(1, 1_000_000)
        #expect(longest.passing(of: 1_000_001) == 1_000_000)
        #expect(longest.request() == 1_000_000_000_000)
    }

    @Test func `a wait is rounded up to whole seconds`() {
        let seconds = [1, 999_999_999, 1_000_000_000, 1_000_000_001, 1_000_000_000_000].map(RateLimit.seconds(ofWait:))
        #expect(seconds == [1, 1, 1, 2, 1000])
    }

    @Test(arguments: [
        ("5", 5000), ("0.5", 500), ("0.001", 1), ("2.125", 2125), ("100000", 100_000_000), ("5.0", 5000),
        ("5.00", 5000), ("0.05", 50), ("100000.001", 100_000_001), ("0", 0),
    ])
    func `a rate has at most three decimals`(text: String, thousandths: Int) {
        #expect(RateLimit.thousandths(utf8(text).span) == thousandths)
        guard let limit = RateLimit(thousandths: thousandths, burst: 1) else { return }
        #expect(RateLimit.thousandths(utf8(limit.perSecond).span) == thousandths)
    }

    @Test(arguments: ["", ".", "5.", ".5", "-5", "+5", "1e2", "0.0005", "5.0000", "1.2.3", " 5", "100000001", "1,5"])
    func `any other text is no rate`(text: String) {
        #expect(RateLimit.thousandths(utf8(text).span) == nil)
    }

    @Test func `a rate is written without needless zeros`() {
        #expect(
            [5000, 500, 50, 1, 2125, 100_000_000].map { RateLimit(thousandths: $0, burst: 1)?.perSecond }
                == ["5", "0.5", "0.05", "0.001", "2.125", "100000"])
    }
}
