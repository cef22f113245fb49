import EventLoop
import System
import TestSupport
import Testing

@testable import Redis
@testable import Responder
@testable import Webhook

struct PoolQueueTests {
    private let id = utf8("00000000-0000-4000-8000-000000000001")
    private let other = utf8("00000000-0000-4000-8000-000000000002")

    @Test func aMarkTellsRepeatsFromConflicts() {
        let mine = PoolQueue.markValue(id: id, digest: .init(repeating: 0xA1))
        #expect(mine.text == "\(id.text):" + String(repeating: "a1", count: 32))
        #expect(PoolQueue.compare(found: mine, mine: mine) == .same)
        let first = PoolQueue.markValue(id: other, digest: .init(repeating: 0xA1))
        #expect(PoolQueue.compare(found: first, mine: mine) == .repeated(jobID: other))
        for changed in 37..<101 {
            var foreign = first
            foreign[changed] ^= 1
            #expect(PoolQueue.compare(found: foreign, mine: mine) == .conflict, "every digit of the digest counts")
        }
        for junk in [[], utf8("junk"), Array(first.dropLast()), first + [0x30]] {
            #expect(PoolQueue.compare(found: junk, mine: mine) == .conflict)
            #expect(PoolQueue.compare(found: junk, mine: junk) == .conflict, "what is no mark is nobody's")
        }
    }

    private func pool(_ change: (inout Pool.Settings) -> Void = { _ in }) throws -> Pool {
        var settings = Pool.Settings(address: try Address("unix:///no/such/socket"))
        change(&settings)
        return try Pool(settings: settings, in: try EventLoop())
    }

    @Test func aNamedDeliveryIsMarkedInTheSlotOfTheQueueForItsTenantAlone() throws {
        let pool = try pool { $0.queue = "the queue" }
        let queue = PoolQueue(pool, queue: "the queue")
        let delivery = Delivery(tenantID: utf8("acme"), id: utf8("msg_1:2"), digest: .init(repeating: 7))
        let named = queue.push(utf8("job").span, id: id, delivery: delivery, waiter: 1)
        let plain = queue.push(utf8("plain").span, id: id, delivery: nil, waiter: 2)
        #expect(named == nil && plain == nil)
        let commands = pool.waiting.map(\.bytes.text)
        #expect(commands[0].contains("\r\n{the queue}:seen:acme:msg_1:2\r\n"))
        #expect(commands[0].contains(PoolQueue.markValue(id: id, digest: .init(repeating: 7)).text))
        #expect(commands[1].contains("LPUSH\r\n$9\r\nthe queue\r\n$5\r\nplain\r\n"))
    }

    @Test func aRefusalHasItsReason() throws {
        let pool = try pool { $0.maxPending = 1 }
        var queue = PoolQueue(pool, queue: "q")
        func push() -> Reason? { queue.push(utf8("job").span, id: id, delivery: nil, waiter: 1) }
        #expect(push() == nil)
        #expect(push() == .overloaded)
        pool.breaker.becameUnreachable()
        pool.pendingCount = 0
        #expect(push() == .breakerOpen)
        let limited = try self.pool { $0.maxDepth = 1 }
        limited.queueDepth.pushed(1)
        queue = PoolQueue(limited, queue: "q")
        #expect(push() == .queueFull)
    }

    @Test func aFailureHasItsReasonAndNoneIsTheSendersFault() {
        let rows: [(PushFailure, Reason)] = [
            (.notConnected, .notConnected), (.timedOut, .pushTimedOut), (.ambiguous, .ambiguous),
            (.notReplicated(acknowledged: 1), .notReplicated),
            (.refused(.tryAgain, word: "BUSY"), .queueRefused),
            (.refused(.notPrimary, word: "READONLY"), .queueRefused),
            (.refused(.tooFewReplicas, word: "NOREPLICAS"), .queueRefused),
            (.refused(.takesNothing, word: "OOM"), .queueRefused),
            (.refused(.tooManyClients, word: "ERR"), .queueRefused),
            (.refused(.elsewhere, word: "MOVED"), .queueMisconfigured),
            (.refused(.notAuthenticated, word: "NOAUTH"), .queueMisconfigured),
            (.refused(.unknownScript, word: "NOSCRIPT"), .queueMisconfigured),
            (.refused(.protocolError, word: "ERR"), .queueMisconfigured),
            (.refused(.misconfigured, word: "NOPERM"), .queueMisconfigured),
        ]
        for (failure, reason) in rows {
            #expect(Reason(failure) == reason)
            #expect(reason.status == 503 && reason.isQueueFailure)
        }
    }
}

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
