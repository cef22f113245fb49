import Delivery
import EventLoop
import Glibc
import Redis
import System
import TestSupport
import Testing

@testable import Responder
@testable import Webhook

struct RedisQueueTests {
    private let id = utf8("00000000-0000-4000-8000-000000000001")

    /// A queue whose Redis cannot be reached.
    private func queue(_ change: (inout DeliveryPolicy) -> Void = { _ in }) throws -> RedisQueue {
        var policy = DeliveryPolicy(queue: "q")
        change(&policy)
        return RedisQueue(
            Pool(to: try Address("unix:///no/such/socket"), policy: policy, over: LoopNetwork(try EventLoop())))
    }

    private func push(to queue: RedisQueue, _ slot: UInt32 = 1) -> Reason? {
        queue.push(utf8("job").span, id: id, delivery: nil, for: RequestHandle(slot: slot, generation: 5))
    }

    @Test func `a refusal has its reason`() throws {
        let queue = try queue { $0.maxPending = 1 }
        #expect(push(to: queue) == nil)
        #expect(push(to: queue) == .overloaded)
        let unreachable = try self.queue { $0.attempts = 1 }
        #expect(push(to: unreachable) == .breakerOpen && unreachable.health.isBreakerOpen)
    }

    @Test func `a result comes back with the request's handle`() throws {
        let queue = try queue { $0.pushDeadline = .milliseconds(1) }
        #expect(push(to: queue, 77) == nil)
        usleep(2000)
        queue.close()
        #expect(queue.health.pendingCount == 1, "closing answers nobody")
    }

    @Test func `every failure has a reason, and none is the sender's fault`() {
        let rows: [(PushFailure, Reason)] = [
            (.notConnected, .notConnected), (.timedOut, .pushTimedOut), (.ambiguous, .ambiguous),
            (.notReplicated(acknowledged: 1), .notReplicated), (.notConfirmed(word: "NOPERM"), .notReplicated),
            (.foreignValue, .queueMisconfigured),
            (.refused(.busy, word: "BUSY"), .queueRefused),
            (.refused(.notPrimary, word: "READONLY"), .queueRefused),
            (.refused(.tooFewReplicas, word: "NOREPLICAS"), .queueRefused),
            (.refused(.writesRefused, word: "OOM"), .queueRefused),
            (.refused(.tooManyClients, word: "ERR"), .queueRefused),
            (.refused(.elsewhere, word: "MOVED"), .queueMisconfigured),
            (.refused(.notAuthenticated, word: "NOAUTH"), .queueMisconfigured),
            (.refused(.unknownScript, word: "NOSCRIPT"), .queueMisconfigured),
            (.refused(.protocolError, word: "ERR"), .queueMisconfigured),
            (.refused(.protectedMode, word: "DENIED"), .queueMisconfigured),
            (.refused(.misconfigured, word: "NOPERM"), .queueMisconfigured),
        ]
        for (failure, reason) in rows {
            #expect(Reason(failure) == reason)
            #expect(reason.status == 503 && reason.isQueueFailure)
        }
        #expect(Set(rows.map(\.0.advice)).count == rows.count, "each is explained in words of its own")
    }
}

struct OpenRequestTests {
    private let token = Token(.webConnection, slot: 3, generation: 9)

    @Test func `a handle finds its request until that has ended, and never another one`() {
        var request = OpenRequest(token: token)
        let first = request.begin(token, slot: 3, at: .now)
        #expect(request.token(for: first) == token)
        request.end()
        #expect(request.token(for: first) == nil)
        let second = request.begin(token, slot: 3, at: .now)
        #expect(request.token(for: first) == nil && request.token(for: second) == token)
        #expect(RequestHandle(bits: second.bits) == second)
    }
}
