import CLinux

/// What epoll(7) tells of a descriptor, or asks to be told.
package struct Readiness: OptionSet {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(EPOLLIN)
    package static let writable = Readiness(EPOLLOUT)
    /// The peer has closed its end, or at least its sending half.
    package static let closed: Readiness = [Readiness(EPOLLRDHUP), Readiness(EPOLLHUP), Readiness(EPOLLERR)]
    /// Told once for each change, not for as long as it lasts.
    package static let edge = Readiness(EPOLLET)
    /// Of several processes that wait for one listener, wake one.
    package static let exclusive = Readiness(EPOLLEXCLUSIVE)

    private init(_ event: EPOLL_EVENTS) { rawValue = event.rawValue }
}
