/// Which server has the queue: the one that was configured, or the one that it named with MOVED.
struct Topology {
    let home: Endpoint
    private(set) var owner: Endpoint?

    init(home: Endpoint) { self.home = home }

    /// The server that pushes go to.
    var current: Endpoint { owner ?? home }

    mutating func moved(to endpoint: Endpoint) { owner = endpoint == home ? nil : endpoint }

    /// Goes back to the configured server, which knows the present owner.
    mutating func forgetOwner() { owner = nil }
}
