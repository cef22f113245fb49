import Delivery
import EventLoop
import System
import Webhook

/// The queue as the responder sees it. It takes jobs during a turn, sends them at the turn's end, and has their results
/// after a later one.
protocol QueuePort: JobQueue, AnyObject {
    var health: QueueHealth { get }
    /// Jobs in the queue, as the last reply gave it.
    var depth: Int { get }
    func endTurn()
    /// Hands out the results since the last call, each once.
    func takeCompletions(_ body: (QueueCompletion) -> Void)
    /// Changes since the last call that belong into the log.
    func takeEvents() -> [DeliveryEvent]
    /// On a descriptor or timer that belongs to the queue.
    func event(_ token: Token, _ readiness: Readiness)
    func timerFired(_ token: Token)
    /// New connections use another password.
    func setPassword(_ password: String)
    /// Closes every connection. What has no result yet gets none.
    func close()
}

struct QueueHealth {
    /// Whether a job would be sent at once.
    var isUsable: Bool
    var isBreakerOpen: Bool
    /// Seconds after which a sender should try again.
    var retryAfter: Int
    /// Jobs without a result.
    var pendingCount: Int
    var connections: (ready: Int, busy: Int, connecting: Int)
}

/// What became of a job, and of which request it was.
struct QueueCompletion {
    let request: RequestHandle
    let result: PushResult
}
