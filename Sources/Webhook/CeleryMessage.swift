import Bytes
import JSON

/// A job as a Celery task message: protocol 2 (Celery's "Message Protocol"), in the JSON envelope that kombu puts into
/// Redis lists.
///
/// It has every header and property that Celery's own client sends. Message, root and correlation ids are the job's id.
/// So is the delivery tag, under which a worker keeps a message that it has not acknowledged, when a job is queued for the
/// first time. `argsrepr`, which workers log, shows the job's id alone.
package struct CeleryMessage: Sendable {
    /// The task that is called unless a setting names another.
    package static let defaultTask = "tasks.enhance_ticket"
    /// Characters of a task's name, at most.
    package static let taskLimit = 200

    let members: JobMembers
    /// From the end of the body to the job's id in the headers.
    private let headers: [UInt8]
    /// From the delivery mode to the delivery tag.
    private let delivery: [UInt8]

    /// - Parameters:
    ///   - task: the name of the task that is called.
    ///   - queue: the key of the list that the message goes to.
    package init(members: JobMembers = [], task: String, queue: String) {
        self.members = members
        var headers: [UInt8] = []
        headers.append(#"],{},{\"callbacks\":null,\"errbacks\":null,\"chain\":null,\"chord\":null}]","#)
        headers.append(#""content-encoding":"utf-8","content-type":"application/json","#)
        headers.append(#""headers":{"lang":"py","task":"#)
        headers.append(jsonString: task)
        headers.append(#","id":""#)
        self.headers = headers
        var delivery: [UInt8] = []
        // Nobody waits for a reply. In Redis priority 0 is the list itself; others have lists of their own.
        delivery.append(#"","reply_to":null,"delivery_mode":2,"delivery_info":{"exchange":"","routing_key":"#)
        delivery.append(jsonString: queue)
        delivery.append(#"},"priority":0,"delivery_tag":""#)
        self.delivery = delivery
    }

    /// Whether text is a task's name: 1 to 200 letters, digits, `_` and `.`.
    package static func isTaskName(_ text: String) -> Bool {
        (1...taskLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                $0.isLowercaseLetter || $0.isUppercaseLetter || $0.isDigit || $0 == UInt8(ascii: "_")
                    || $0 == UInt8(ascii: ".")
            }
    }

    /// Appends the message for the job of a ticket.
    func append(
        of exchange: borrowing Exchange, body: Span<UInt8>, createdAt: [UInt8], to message: inout [UInt8]
    ) {
        message.append(#"{"body":"[["#)
        appendJob(of: exchange, body: body, createdAt: createdAt, to: &message)
        appendHeaders(id: exchange.jobID, to: &message)
        Job.append(members, of: exchange, body: body, to: &message)
        appendProperties(id: exchange.jobID, tag: exchange.jobID, to: &message)
    }

    /// Appends what `Job.append` does, as part of a JSON string: one pass, and escapes only where a text can need them.
    private func appendJob(
        of exchange: borrowing Exchange, body: Span<UInt8>, createdAt: [UInt8], to message: inout [UInt8]
    ) {
        message.append(#"{\"job_id\":\""#, exchange.jobID.span, #"\",\"ticket_id\":\""#)
        message.append(exchange.ticket.ticketID.span)
        message.append(#"\",\"tenant_id\":\""#, exchange.ticket.tenantID.span, #"\",\"description\":\""#)
        message.append(jsonContent: body.extracting(exchange.ticket.description))
        message.append(#"\",\"priority\":\""#, exchange.ticket.priority.name, #"\",\"timestamp\":\""#)
        message.append(exchange.ticket.createdAt.span)
        message.append(#"\",\"created_at\":\""#, createdAt.span, #"\",\"correlation_id\":\""#)
        message.append(exchange.ticket.correlationID.span)
        message.append(#"\""#)
        let jobMembers = members.subtracting(.traceContext)
        if !jobMembers.isEmpty {
            var text: [UInt8] = []
            Job.append(jobMembers, of: exchange, body: body, to: &text)
            message.append(jsonContent: text.span)
        }
        message.append("}")
    }

    /// Appends the message for a job that has been written already. What it has of the optional members becomes headers.
    ///
    /// - Parameter tag: the delivery tag, a new one: a worker may still hold an earlier message of the job, and would
    ///   acknowledge both under one tag.
    package func append(job: Span<UInt8>, id: [UInt8], tag: UUID, to message: inout [UInt8]) {
        // JSON within a JSON string.
        message.append(#"{"body":"[["#)
        message.append(jsonContent: job)
        appendHeaders(id: id, to: &message)
        for name: StaticString in ["event", "delivery_id", "traceparent", "tracestate"] {
            guard let value = job.findString(named: name, limit: TraceContext.stateLimit) else { continue }
            message.append(#",""#)
            message.append(name)
            message.append(#"":""#)
            message.append(job.extracting(value.range))
            message.append(#"""#)
        }
        var tagText: [UInt8] = []
        tag.append(to: &tagText)
        appendProperties(id: id, tag: tagText, to: &message)
    }

    private func appendHeaders(id: [UInt8], to message: inout [UInt8]) {
        message.append(headers.span)
        message.append(id.span)
        message.append(#"","shadow":null,"eta":null,"expires":null,"group":null,"group_index":null,"retries":0,"#)
        message.append(#""timelimit":[null,null],"root_id":""#, id.span, #"","parent_id":null,"#)
        message.append(#""argsrepr":"({'job_id': '"#, id.span, #"'},)","kwargsrepr":"{}","#)
        message.append(#""origin":"servicedesk-responder","ignore_result":false,"replaced_task_nesting":0,"#)
        message.append(#""stamped_headers":null,"stamps":{}"#)
    }

    private func appendProperties(id: [UInt8], tag: [UInt8], to message: inout [UInt8]) {
        message.append(#"},"properties":{"correlation_id":""#)
        message.append(id.span)
        message.append(delivery.span)
        message.append("", tag.span, #""}}"#)
    }
}
