package import System

extension Server {
    /// Limits on the time and the size of requests.
    package struct Limits {
        /// From a request's first byte to its last.
        package var request: Nanoseconds
        /// How long a kept connection may lie idle: longer than the web server keeps it, so that it is the first to
        /// close.
        package var idle: Nanoseconds
        /// Bytes of body.
        package var body: Int

        package init(request: Nanoseconds, idle: Nanoseconds = .seconds(120), body: Int) {
            self.request = request
            self.idle = idle
            self.body = body
        }
    }

    /// How long nothing is accepted after descriptors or memory have run out.
    package static let exhaustionDelay = Nanoseconds.milliseconds(100)
    /// Connections accepted in one turn: a woken process leaves some for its siblings.
    static let acceptLimit = 4
    /// Connections accepted when accepting stops, at most.
    static let backlogLimit = 4096
    /// Bytes read from one socket in one turn: the others get their time beside a fast sender.
    static let readLimit = 65_536
    /// Bytes that are discarded after an answer, at most: a peer that sends more is not waiting for it.
    static let lingerLimit = 16_777_216
}
