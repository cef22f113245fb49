import Bytes
import COpenSSL
import EventLoop
import TestSupport
import Testing

@testable import Redis

@Suite struct PartsTests {
    @Test func theScriptsDigestIsItsSHA1() {
        let script = utf8(PushCommand.script)
        var digest = [UInt8](repeating: 0, count: 20)
        _ = unsafe SHA1(script, script.count, &digest)
        var hex: [UInt8] = []
        for byte in digest { hex.append(hex: byte) }
        #expect(String(decoding: hex, as: UTF8.self) == PushCommand.scriptDigest)
    }

    @Test func aFifoKeepsItsOrder() {
        var fifo = Fifo<Int>()
        var expected = 0
        for number in 0..<5000 {
            fifo.append(number)
            if number % 3 != 0 {
                let first = fifo.popFirst()
                #expect(first == expected)
                expected += 1
            }
        }
        #expect(fifo.count == 5000 - expected && fifo.first == expected && fifo[1] == expected + 1)
        let rest = fifo.removeAll()
        #expect(rest == Array(expected..<5000) && fifo.isEmpty)
    }

    @Test func delaysStayWithinTheirBounds() {
        let backoff = Backoff()
        for attempt in 0..<200 {
            let jittered = backoff.jittered(.seconds(1))
            #expect(jittered >= .milliseconds(500) && jittered <= .milliseconds(1500))
            let full = backoff.full(attempt: attempt, base: .milliseconds(100), cap: .milliseconds(800))
            #expect(full >= .milliseconds(2) && full <= .milliseconds(800))
        }
    }

    @Test func theBreakerLetsOneProbeThrough() {
        var breaker = Breaker()
        let now = Instant(nanoseconds: 1000)
        breaker.wasRefused(probe: now + .seconds(1))
        let answers = [now, now + .seconds(1), now + .seconds(1)].map { breaker.admits(at: $0) }
        #expect(answers == [false, true, false])
        breaker.succeeded()
        #expect(breaker.isClosed)
        breaker.becameUnreachable()
        let whileUnreachable = breaker.admits(at: .never)
        breaker.connected()
        let afterwards = breaker.admits(at: now)
        #expect(!whileUnreachable && afterwards)
    }
}
