import ArgumentParser
import Bytes
import Redis
import Webhook

extension Dead {
    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Puts dead jobs into the queue again, with their job_id, and prints their ids.",
            discussion: """
                A job is queued once, however often it died, and leaves the list of dead jobs in the same step. It is \
                written in the format that --format names. Without --format, it is written for Celery if its entry has a \
                task, and otherwise as SERVICEDESK_JOB_FORMAT says. A message that its worker could not read, or a Celery \
                message that a worker for plain jobs gave up on, is queued as it was.
                """)
        @OptionGroup var queue: QueueOptions
        @OptionGroup var source: Source
        @OptionGroup var format: FormatOptions
        @OptionGroup var selection: Selection

        func run() throws {
            // A wrong setting is reported before anything is queued.
            let (standardFormat, standardTask) = (try format.jobFormat(), try format.taskName())
            let client = try Environment.client()
            let letters = source.letters(client)
            let service = QueueService(client, key: queue.queueKey)
            let waiting = try WaitingFormats(of: service)
            var hasFailed = false
            for job in try selection.jobs(among: letters) {
                let id = String(decoding: job[0].id, as: UTF8.self)
                guard let message = message(of: job[0], standardFormat, task: standardTask) else {
                    StandardStreams.complain("\(id) holds no job that could be queued: see `dead show`")
                    hasFailed = true
                    continue
                }
                if let objection = waiting.objection(to: message) {
                    StandardStreams.complain("\(id) is not queued: \(objection): choose another --key or --format")
                    hasFailed = true
                    continue
                }
                let entries = job.map(\.entry)
                guard try service.push(message, inPlaceOf: entries, in: Array(source.deadKey.utf8)) else {
                    StandardStreams.complain("\(id) has left the list in the meantime: not queued")
                    hasFailed = true
                    continue
                }
                try StandardStreams.write(line: job[0].id)
            }
            if hasFailed { throw ExitCode(1) }
        }

        /// What is queued for a dead letter; nil if it holds nothing.
        private func message(of letter: DeadLetter, _ standard: JobFormat, task: String) -> [UInt8]? {
            switch letter.content {
            case .none: return nil
            case .message(let message): return message
            case .job(let job):
                let isForCelery = format.format == nil && letter.task != nil
                let isWrapped = JobFormat(of: job.span) == .celery
                guard isForCelery || standard == .celery, !isWrapped else { return job }
                guard let id = letter.jobID else { return nil }
                let celery = CeleryMessage(
                    task: format.task == nil ? letter.task ?? task : task, queue: queue.text)
                var random = RandomSource()
                var message: [UInt8] = []
                celery.append(job: job.span, id: id, tag: UUID(from: &random), to: &message)
                return message
            }
        }
    }
}
