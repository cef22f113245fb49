import Delivery
import EventLoop

/// The servers that are known: the configured one, and those that MOVED and ASK have named.
struct NodeTable {
    private var home: Address
    private let network: any Network
    private var nodes: [Node] = []
    private var nextNumber = 0

    init(home: Address, network: any Network) {
        self.home = home
        self.network = network
    }

    /// The node at an endpoint. Others that have no connection are forgotten, but for the configured one.
    mutating func node(for endpoint: Endpoint, inUse: [Node]) -> Node {
        if let node = nodes.first(where: { $0.address.endpoint == endpoint }) { return node }
        nodes.removeAll { node in
            node.address.endpoint != home.endpoint && !inUse.contains { $0 === node }
        }
        nextNumber += 1
        let node = Node(
            Address(endpoint, like: home), network: network, lookUpToken: Token(.resolver, slot: nextNumber))
        nodes.append(node)
        return node
    }

    func node(lookingUpAs token: Token) -> Node? { nodes.first { $0.lookUpToken == token } }

    mutating func setPassword(_ password: String) {
        home = home.with(password: password)
        for node in nodes { node.setPassword(password) }
    }

    func forgetAddresses(of endpoint: Endpoint) {
        nodes.first { $0.address.endpoint == endpoint }?.forgetAddresses()
    }
}
