import EventLoop
import System
import Webhook

/// The request on a connection of the web server: to whom its answer goes, and since when it is whole.
struct OpenRequest {
    private var token: Token
    private(set) var began = Instant.never
    /// Counts the requests in this slot, so that the result of one is never taken for another's.
    private var generation: UInt32 = 0
    private var isOpen = false

    init(token: Token) { self.token = token }

    /// A request is whole. The handle finds it until it ends.
    mutating func begin(_ token: Token, slot: Int, at now: Instant) -> RequestHandle {
        self.token = token
        began = now
        generation &+= 1
        isOpen = true
        return RequestHandle(slot: UInt32(slot), generation: generation)
    }

    /// The connection that the answer goes to; nil where the handle's request has ended.
    func token(for handle: RequestHandle) -> Token? {
        isOpen && handle.generation == generation ? token : nil
    }

    mutating func end() { isOpen = false }
}
