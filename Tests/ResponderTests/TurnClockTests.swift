import System
import TestSupport
import Testing

@testable import Responder
@testable import Webhook

struct TurnClockTests {
    @Test func theTimeIsMadeOnceForATurn() throws {
        var clock = TurnClock()
        let turn = Instant(nanoseconds: 1)
        let text = clock.text(at: turn)
        #expect(text.count == 27 && text[10] == 0x54 && text.last == 0x5A)
        let isDateTime = Timestamp.isDateTime(text.span)
        #expect(isDateTime)
        // The next turn is at least a microsecond later.
        let start = Instant.now
        while Instant.now.since(start) < 2000 {}
        let again = clock.text(at: turn)
        let next = clock.text(at: Instant(nanoseconds: 2))
        #expect(again == text && clock.text == next)
        #expect(next.text > text.text)
    }
}
