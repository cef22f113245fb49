import Delivery
import EventLoop
import Redis
import System
import Webhook

/// The list in Redis as the responder's queue.
final class RedisQueue: QueuePort {
    private let pool: Pool

    init(_ pool: Pool) { self.pool = pool }

    func push(
        _ job: Span<UInt8>, id: [UInt8], delivery: NamedDelivery?, for request: RequestHandle
    ) -> Reason? {
        let key = delivery.map { delivery in
            pool.key(
                tenantID: delivery.tenantID, deliveryID: delivery.id, isSigned: delivery.isSigned, jobID: id,
                digest: delivery.digest.span)
        }
        return pool.push(job, key: key, waiter: request.bits).map { Reason($0) }
    }

    var depth: Int { pool.depth }

    var health: QueueHealth {
        QueueHealth(
            isUsable: pool.isUsable, isBreakerOpen: pool.breakerState != .closed, retryAfter: pool.retryAfter,
            pendingCount: pool.pendingCount, connections: pool.connectionCounts)
    }

    func endTurn() { pool.flush() }

    func takeCompletions(_ body: (QueueCompletion) -> Void) {
        pool.takeCompletions { completion in
            body(QueueCompletion(request: RequestHandle(bits: completion.waiter), result: completion.result))
        }
    }

    func takeEvents() -> [DeliveryEvent] { pool.takeEvents() }

    func event(_ token: Token, _ readiness: Readiness) {
        if token.owner == .resolver { pool.lookUpEvent(token) } else { pool.event(token, readiness) }
    }

    func timerFired(_ token: Token) { pool.timerFired() }

    func setPassword(_ password: String) { pool.setPassword(password) }

    func close() { pool.close() }
}

extension Reason {
    init(_ refusal: PushRefusal) {
        switch refusal {
        case .overloaded: self = .overloaded
        case .breakerOpen: self = .breakerOpen
        case .queueFull: self = .queueFull
        }
    }

    init(_ failure: PushFailure) {
        switch failure {
        case .notConnected: self = .notConnected
        case .timedOut: self = .pushTimedOut
        case .ambiguous: self = .ambiguous
        case .notReplicated, .notConfirmed: self = .notReplicated
        case .foreignValue: self = .queueMisconfigured
        case .refused(let error, _):
            switch error {
            case .busy, .notPrimary, .tooFewReplicas, .waitInterrupted, .writesRefused, .tooManyClients:
                self = .queueRefused
            case .elsewhere, .askingRefused, .notAuthenticated, .unknownScript, .protocolError, .protectedMode,
                .misconfigured:
                self = .queueMisconfigured
            }
        }
    }
}
