import System
import Testing

@testable import Delivery

struct DiallingTests {
    private let now = Instant(nanoseconds: 1_000_000_000_000)

    private func attempt(isForAsked: Bool = false) -> Dialling.Attempt {
        Dialling.Attempt(
            slot: 2, endpoint: .unix(path: "/s"), isForAsked: isForAsked, deadline: now + .seconds(5))
    }

    @Test func `an attempt is under way until it has ended`() {
        var dialling = Dialling()
        #expect(!dialling.isUnderWay && dialling.notBefore < now)
        dialling.begin(attempt(), at: now)
        #expect(dialling.isUnderWay)
        dialling.extend(to: now + .seconds(9))
        #expect(dialling.attempt?.deadline == now + .seconds(9))
        let (ended, again) = (dialling.ended(), dialling.ended())
        #expect(ended?.slot == 2 && again == nil && !dialling.isUnderWay)
        dialling.extend(to: now)
        #expect(dialling.attempt == nil)
    }

    @Test func `a connection for the queue ends a row of failures`() {
        var dialling = Dialling()
        for _ in 1...2 {
            dialling.begin(attempt(), at: now)
            _ = dialling.ended()
            dialling.countFailure()
        }
        #expect(dialling.failures == 2)
        dialling.succeeded()
        #expect(dialling.failures == 0)
    }

    @Test func `another connection is wanted until one for the queue is dialled`() {
        var dialling = Dialling()
        dialling.askForAnother()
        dialling.begin(attempt(isForAsked: true), at: now)
        _ = dialling.ended()
        #expect(dialling.wantsAnother)
        dialling.begin(attempt(), at: now)
        #expect(!dialling.wantsAnother)
        // A push asks again while it is dialled: the connection is what it asked for.
        dialling.askForAnother()
        dialling.succeeded()
        #expect(!dialling.wantsAnother)
        dialling.askForAnother()
        dialling.stopAskingForAnother()
        #expect(!dialling.wantsAnother)
    }

    @Test func `a lost connection is not made again within the interval, and a longer wait stays`() {
        var dialling = Dialling()
        dialling.begin(attempt(), at: now)
        dialling.pace(by: .milliseconds(100))
        #expect(dialling.notBefore == now + .milliseconds(100), "counted from the last dial")
        dialling.wait(until: now + .seconds(1))
        dialling.pace(by: .milliseconds(100))
        #expect(dialling.notBefore == now + .seconds(1))
    }
}
