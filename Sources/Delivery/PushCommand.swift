import Bytes
import RESP

/// Writes the command that pushes a job whose delivery has no name: `LPUSH queue job`.
struct PushCommand {
    private let head: [UInt8]

    init(queue: String) {
        var head: [UInt8] = []
        head.append(commandOf: 3)
        head.append(argument: "LPUSH")
        head.append(argument: queue)
        self.head = head
    }

    func append(_ job: Span<UInt8>, to output: inout [UInt8]) {
        output.append(head.span)
        output.append(argument: job)
    }
}
