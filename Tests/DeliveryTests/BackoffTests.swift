import System
import Testing

@testable import Delivery

struct BackoffTests {
    @Test func `a jittered delay is between half of it and all of it`() {
        var backoff = Backoff(seed: 1)
        let delay = Nanoseconds.milliseconds(100)
        let delays = (0..<5000).map { _ in backoff.jittered(delay).count }
        #expect(delays.allSatisfy { (50_000_000...100_000_000).contains($0) })
        #expect(delays.min()! < 55_000_000 && delays.max()! > 95_000_000, "all of it is used")
        let none = backoff.jittered(Nanoseconds(0))
        #expect(none.count == 0)
    }

    @Test(arguments: [(0, 100), (1, 200), (2, 400), (3, 800), (4, 800), (40, 800), (.max, 800), (-1, 100)])
    func `full jitter doubles with every attempt up to the cap`(attempt: Int, milliseconds: UInt64) {
        var backoff = Backoff(seed: 2)
        let ceiling = milliseconds * 1_000_000
        let delays = (0..<5000).map { _ in
            backoff.full(attempt: attempt, base: .milliseconds(100), cap: .milliseconds(800)).count
        }
        #expect(delays.allSatisfy { (2_000_000...ceiling).contains($0) })
        #expect(delays.max()! > ceiling / 10 * 9 && delays.min()! < ceiling / 10)
    }

    @Test func `a cap below the least delay gives the least delay`() {
        var backoff = Backoff(seed: 3)
        let delay = backoff.full(attempt: 3, base: .milliseconds(100), cap: Nanoseconds(1))
        #expect(delay.count == 2_000_000)
    }

    @Test func `the same seed gives the same delays`() {
        func delays(seed: UInt64) -> [UInt64] {
            var backoff = Backoff(seed: seed)
            return (0..<20).map { _ in backoff.jittered(.seconds(1)).count }
        }
        #expect(delays(seed: 5) == delays(seed: 5) && delays(seed: 5) != delays(seed: 6))
    }
}
