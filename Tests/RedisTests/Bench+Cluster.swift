import TestSupport
import Testing

@testable import Delivery
@testable import Redis

extension Bench {
    /// A bench, and besides the node that it connects to another one, which has the queue.
    static func cluster(_ change: (inout DeliveryPolicy) -> Void = { _ in }) throws -> (
        bench: Bench, owner: ScriptedRedis
    ) {
        let bench = try Bench(try ScriptedRedis(.loopback), change)
        bench.nodes = [try ScriptedRedis(.loopback)]
        return (bench, bench.nodes[0])
    }

    /// Makes a push that a node redirects. Returns its waiter, and the connection on which it came; ASKING is answered.
    func redirected(
        _ connected: Session? = nil, to owner: ScriptedRedis, by answer: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (waiter: UInt64, other: Session) {
        let session = try connected ?? connect(sourceLocation: sourceLocation)
        let waiter = try pushed(on: session, sourceLocation: sourceLocation)
        session.send(answer)
        let other = try connect(to: owner, sourceLocation: sourceLocation)
        if answer.hasPrefix("-ASK") {
            #expect(
                try commands(1, of: other, sourceLocation: sourceLocation) == [["ASKING"]],
                sourceLocation: sourceLocation)
            other.send("+OK\r\n")
        }
        let command = try commands(1, of: other, sourceLocation: sourceLocation)[0]
        #expect(command.contains("job"), sourceLocation: sourceLocation)
        return (waiter, other)
    }
}

func moved(to node: ScriptedRedis) -> String { "-MOVED 3999 127.0.0.1:\(node.port)\r\n" }
func ask(_ node: ScriptedRedis) -> String { "-ASK 3999 127.0.0.1:\(node.port)\r\n" }
