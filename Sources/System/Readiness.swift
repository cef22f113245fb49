import CLinux

/// The states of a descriptor that epoll(7) reports, and how it reports them.
package struct Readiness: OptionSet {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(EPOLLIN)
    package static let writable = Readiness(EPOLLOUT)
    /// The peer has closed its end, or at least its sending half.
    package static let closed: Readiness = [Readiness(EPOLLRDHUP), Readiness(EPOLLHUP), Readiness(EPOLLERR)]
    /// Reports once for each change, not for as long as it lasts.
    package static let edge = Readiness(EPOLLET)
    /// Wakes one of the processes that wait for a listener.
    package static let exclusive = Readiness(EPOLLEXCLUSIVE)

    private init(_ event: EPOLL_EVENTS) { rawValue = event.rawValue }
}
