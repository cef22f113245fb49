import Bytes
import System
import Webhook

/// Keeps the job instead of queueing it.
struct PrintedQueue: JobQueue {
    private(set) var job: [UInt8]?

    mutating func push(
        _ job: Span<UInt8>, id: [UInt8], delivery: NamedDelivery?, for request: RequestHandle
    ) -> Reason? {
        self.job = [UInt8](copying: job)
        return nil
    }
}

/// What became of a body.
struct ReadBody {
    let job: [UInt8]?
    let exchange: Exchange
    private let disposition: Disposition

    /// Reads a body as the responder does once it knows whose it is.
    init(_ body: [UInt8], from claimant: Claimant, _ variables: [(String, [UInt8])], _ handler: inout Handler) {
        var exchange = Exchange()
        for (name, value) in variables {
            exchange.take(Array(name.utf8).span, value.span, headers: handler.secrets.headers)
        }
        exchange.complete(bodyLength: body.count, random: &handler.random)
        var queue = PrintedQueue()
        disposition = handler.take(
            &exchange, from: claimant, body: body.span, time: Timestamp.format(WallClock.now.microseconds),
            request: RequestHandle(slot: 0, generation: 0), queue: &queue)
        job = queue.job
        self.exchange = exchange
    }

    /// Why a body makes no job, a line for each fault.
    var faults: [String] {
        let lines = exchange.faults.map { String(decoding: $0.line, as: UTF8.self) }
        guard lines.isEmpty, case .answer(let reason) = disposition else { return lines }
        return ["\(exchange.refusalCause?.label ?? reason.detail)"]
    }

    /// Prints the faults of a body that makes no job.
    func printFaults() throws {
        guard exchange.faults.isEmpty else {
            for row in exchange.faults { try StandardStreams.write(line: TerminalText.line(row.line)) }
            return
        }
        for fault in faults { StandardStreams.complain(fault) }
    }
}
