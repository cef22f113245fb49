import Bytes
import JSON

/// How jobs are written for the workers that take them.
package enum JobFormat: String, CaseIterable, Sendable {
    /// The job alone.
    case plain
    /// A message that Celery takes for a call of a task with the job as its only argument.
    case celery

    /// The format of a message in the queue; nil where it is in neither.
    package init?(of message: Span<UInt8>) {
        if message.findString(named: "job_id", limit: 36) != nil {
            self = .plain
        } else if message.findString(named: "content-type", limit: 100) != nil {
            self = .celery
        } else {
            return nil
        }
    }
}

/// Writes jobs in the format that the workers read.
package enum JobEncoder: Sendable {
    case plain(JobMembers)
    case celery(CeleryMessage)

    /// - Parameters:
    ///   - task: the name of the Celery task.
    ///   - queue: the key of the list that the jobs go to.
    package init(_ format: JobFormat, members: JobMembers, task: String, queue: String) {
        switch format {
        case .plain: self = .plain(members)
        case .celery: self = .celery(CeleryMessage(members: members, task: task, queue: queue))
        }
    }

    /// Whether jobs name their delivery, also one that its sender has not named.
    var namesDeliveries: Bool {
        switch self {
        case .plain(let members): members.contains(.deliveryID)
        case .celery(let message): message.members.contains(.deliveryID)
        }
    }

    /// Appends the job of a ticket: see `Job.append`.
    func append(
        of exchange: borrowing Exchange, body: Span<UInt8>, createdAt: [UInt8], to output: inout [UInt8]
    ) {
        switch self {
        case .plain(let members):
            Job.append(of: exchange, body: body, createdAt: createdAt, members: members, to: &output)
        case .celery(let message):
            message.append(of: exchange, body: body, createdAt: createdAt, to: &output)
        }
    }
}
