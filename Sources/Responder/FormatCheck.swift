import Bytes
import Delivery
import EventLoop
import Redis
import System
import Webhook

/// In which formats the jobs at both ends of the queue are.
enum FormatFinding: Sendable {
    case formats(Set<JobFormat>)
    case failed(ClientFailure)

    /// Bytes of a job, at most; one of ours is shorter, and a longer entry would take as much memory in each process.
    private static let jobLimit = 1_048_576

    /// Asks Redis, and waits for its replies.
    init(of queue: String, at address: Address, tls: TLSContext?) {
        do throws(ClientFailure) {
            let service = QueueService(
                try Client(address, tls: tls, bulkLimit: FormatFinding.jobLimit), key: Array(queue.utf8))
            let ends = [try service.oldest(), try service.newest()].compactMap { $0 }
            self = .formats(Set(ends.compactMap { JobFormat(of: $0.span) }))
        } catch {
            self = .failed(error)
        }
    }
}

/// A look at the queue, once Redis is connected for the first time: workers cannot use jobs in the other format, and
/// Celery's destroy them. On a thread, with a connection of its own: a job may be long, and the pool's connections read
/// short replies only.
extension Responder {
    mutating func startFormatCheck() {
        let (queue, address, tls) = (settings.delivery.queue, settings.redis, network.tlsContext)
        do throws(SystemError) {
            var check = try BackgroundWork<FormatFinding>()
            try loop.watch(check.number, for: .readable, as: Token(.formatCheck))
            guard check.start({ FormatFinding(of: queue, at: address, tls: tls) }) else {
                return noteUnchecked("no thread")
            }
            formatCheck = consume check
        } catch {
            noteUnchecked("\(error)")
        }
    }

    /// When the thread has ended.
    mutating func finishFormatCheck() {
        guard let finding = formatCheck?.finish() else { return }
        formatCheck = nil
        switch finding {
        case .failed(.refused(let word)): noteUnchecked("Redis answered \(word) to LINDEX")
        case .failed(let failure): noteUnchecked("\(failure)")
        case .formats(let formats):
            for format in formats where format != settings.jobFormat {
                log.line(
                    .warning,
                    "\(settings.delivery.queue) holds \(format) jobs, and SERVICEDESK_JOB_FORMAT is \(settings.jobFormat): workers lose jobs of the other format; set a new SERVICEDESK_QUEUE_KEY, and let the old workers empty this queue"
                )
            }
        }
    }

    private mutating func noteUnchecked(_ reason: String) {
        log.line(.info, "the format of the jobs in \(settings.delivery.queue) was not checked: \(reason)")
    }
}
