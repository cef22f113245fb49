package import EventLoop

extension Server {
    /// How long, and how much.
    package struct Limits {
        /// From a request's first byte to its last.
        package var request: Nanoseconds
        /// How long a kept connection may lie idle: longer than the web server keeps it, so that it is the first to
        /// close.
        package var idle: Nanoseconds
        /// Bytes of body.
        package var body: Int

        package init(request: Nanoseconds = .seconds(5), idle: Nanoseconds = .seconds(120), body: Int = 131_072) {
            self.request = request
            self.idle = idle
            self.body = body
        }
    }
}
