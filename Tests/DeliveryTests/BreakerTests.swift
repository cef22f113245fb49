import System
import Testing

@testable import Delivery

struct BreakerTests {
    private let now = Instant(nanoseconds: 1_000)
    private let later = Instant(nanoseconds: 2_000)

    @Test func `a closed breaker admits every push`() {
        var breaker = Breaker()
        #expect(breaker.isClosed && breaker.wouldAdmit(at: now))
        for _ in 1...3 {
            let isAdmitted = breaker.tryAdmit(at: now)
            #expect(isAdmitted)
        }
        breaker.connected()
        #expect(breaker.isClosed)
    }

    @Test func `while Redis is unreachable only a connection closes the breaker`() {
        var breaker = Breaker()
        breaker.becameUnreachable()
        let isAdmitted = breaker.tryAdmit(at: .never)
        #expect(!isAdmitted && !breaker.isClosed && !breaker.wouldAdmit(at: .never))
        breaker.connected()
        #expect(breaker.isClosed)
    }

    @Test func `while Redis refuses, the breaker admits one push once its time has come`() {
        var breaker = Breaker()
        breaker.wasRefused(probe: later)
        #expect(!breaker.wouldAdmit(at: now) && breaker.wouldAdmit(at: later))
        #expect(breaker.state == .refusing(probe: later), "asking changes nothing")
        let isEarly = breaker.tryAdmit(at: now)
        let isAdmitted = breaker.tryAdmit(at: later)
        let isSecond = breaker.tryAdmit(at: .never)
        #expect(!isEarly && isAdmitted && !isSecond)
        #expect(breaker.state == .probing && !breaker.isClosed)
        breaker.connected()
        #expect(breaker.state == .probing, "a connection does not answer the probe")
        breaker.wasRefused(probe: .never)
        let isRefused = breaker.tryAdmit(at: later)
        #expect(!isRefused)
        breaker.succeeded()
        #expect(breaker.isClosed)
    }

    @Test func `without the right to WAIT nothing is let through before it is granted`() {
        var breaker = Breaker()
        breaker.rightsRefused()
        breaker.wasRefused(probe: now)
        breaker.succeeded()
        breaker.connected()
        let isAdmitted = breaker.tryAdmit(at: .never)
        #expect(!isAdmitted && breaker.state == .lackingRights)
        breaker.rightsGranted()
        #expect(breaker.isClosed)
        breaker.wasRefused(probe: later)
        breaker.rightsGranted()
        #expect(breaker.state == .refusing(probe: later))
    }
}
