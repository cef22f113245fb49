import Bytes
import JSON
import Webhook

/// An entry of the list in which workers put the jobs that they gave up on: a JSON object with the members `job`, `reason`,
/// `attempts`, `failed_at`, `worker`, and `task` if it was a Celery task. An entry that is anything else is kept, listed,
/// and can be dropped.
struct DeadLetter {
    enum Content {
        /// The job's JSON.
        case job([UInt8])
        /// What a worker took from the queue and could not read.
        case message([UInt8])
        case none
    }

    let entry: [UInt8]
    private(set) var content = Content.none
    private var members: [String: [UInt8]] = [:]

    init(_ entry: [UInt8]) {
        self.entry = entry
        do throws(JSONFault) {
            try read(entry.span)
        } catch {
            content = .none
            members = [:]
        }
    }

    private mutating func read(_ bytes: Span<UInt8>) throws(JSONFault) {
        var reader = JSONReader()
        try reader.beginObject(in: bytes)
        while let key = try reader.nextKey(in: bytes) {
            let start = reader.position
            let type = try reader.type(in: bytes)
            let name = String(decoding: key.text(from: bytes), as: UTF8.self)
            if name == "job" { content = .none }
            if type == .string {
                let text = try reader.string(in: bytes).text(from: bytes)
                if name == "job" && !text.isEmpty { content = .message(text) }
                members[name] = text
            } else {
                try reader.skipValue(in: bytes)
                let value = Array(entry[start..<reader.position])
                if name == "job" && type == .object { content = .job(value) }
                members[name] = value
            }
        }
        try reader.end(in: bytes)
    }

    /// A string of the job.
    private func jobMember(_ name: StaticString) -> [UInt8]? {
        guard case .job(let job) = content, let value = job.span.findString(named: name, limit: 100) else { return nil }
        return value.text(from: job.span)
    }

    /// The id by which commands name it: the job's, or `sha256:` and the beginning of the entry's digest.
    var id: [UInt8] {
        if let jobID { return jobID }
        return Array("sha256:".utf8) + hexadecimal(digest(of: entry.span).span.extracting(first: 8))
    }

    /// The Celery task that was called with the job; nil if there was none.
    var task: String? {
        members["task"].map { String(decoding: $0, as: UTF8.self) }.flatMap { CeleryMessage.isTaskName($0) ? $0 : nil }
    }

    /// Nil where it is not one that the responder could have made.
    var jobID: [UInt8]? { (jobMember("job_id") ?? messageID).flatMap { UUID.isVersion4($0.span) ? $0 : nil } }

    /// The id of a Celery message, which is its job's. A worker for plain jobs buries such a message as a job.
    private var messageID: [UInt8]? {
        guard case .job(let job) = content, JobFormat(of: job.span) == .celery else { return nil }
        let id: [UInt8]?? = try? JSONPath(Array("headers.id".utf8))?.text(in: job.span)
        return id ?? nil
    }

    /// Id, time, attempts, tenant, ticket and reason, with a tab after each but the last.
    var summary: [UInt8] {
        let columns: [[UInt8]?] = [
            id, members["failed_at"], members["attempts"], jobMember("tenant_id"), jobMember("ticket_id"),
            members["reason"] ?? Array("(no reason: not written as a dead letter)".utf8),
        ]
        return Array(columns.map { $0.map(TerminalText.column) ?? [UInt8(ascii: "-")] }.joined(separator: [.tab]))
    }
}
