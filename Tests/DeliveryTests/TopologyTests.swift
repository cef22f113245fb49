import Testing

@testable import Delivery

struct TopologyTests {
    private let home = Endpoint.tcp(host: "home", port: 1)
    private let first = Endpoint.tcp(host: "first", port: 1)
    private let second = Endpoint.tcp(host: "first", port: 2)

    @Test func `pushes go to the node that was named last`() {
        var topology = Topology(home: home)
        #expect(topology.current == home && topology.owner == nil)
        topology.moved(to: first)
        #expect(topology.current == first)
        topology.moved(to: second)
        #expect(topology.current == second && topology.home == home)
    }

    @Test func `a move back to the configured server forgets the owner`() {
        var topology = Topology(home: home)
        topology.moved(to: first)
        topology.moved(to: home)
        #expect(topology.owner == nil && topology.current == home)
        topology.moved(to: first)
        topology.forgetOwner()
        #expect(topology.owner == nil && topology.current == home)
    }
}
