import Redis
import Webhook

/// The formats of the jobs at both ends of a queue.
struct WaitingFormats {
    private let formats: Set<JobFormat>

    init(of service: QueueService) throws {
        formats = Set(
            [try service.oldest(), try service.newest()].compactMap { $0.flatMap { JobFormat(of: $0.span) } })
    }

    /// Why a message must not be queued; nil if it may be.
    func objection(to message: [UInt8]) -> String? {
        guard let written = JobFormat(of: message.span), let other = formats.first(where: { $0 != written }) else {
            return nil
        }
        return "the queue holds \(other) jobs, and their workers would lose a \(written) job"
    }
}
