import ArgumentParser
import Bytes
import Delivery
import Product
import Redis
import System
import Tenants
import Webhook

extension QuarantineCommand {
    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Queues the tickets of requests, and prints the ids of requests and jobs.",
            discussion: """
                A request is read again, as it is or with a corrected body, as one of the tenant or sender that had sent it. \
                It is queued and leaves the quarantine in one step. Under the name that its sender gave it, it is queued \
                once, also if it is sent again, for as long as SERVICEDESK_DELIVERY_WINDOW says. Its created_at may be of \
                any age.

                Exit status: 0 when each request was queued, now or before; 1 when not; 64 for arguments that make no sense.
                """)
        @OptionGroup var queue: QueueOptions
        @OptionGroup var selection: Selection
        @OptionGroup var tenants: TenantsPathOption
        @OptionGroup var job: JobOptions
        @Option(help: "A file with a corrected body, for one request.", completion: .file()) var body: String?
        @Flag(help: "Accept unknown fields (default: as SERVICEDESK_UNKNOWN_FIELDS says, or not).")
        var ignoreUnknownFields = false

        func validate() throws {
            guard body == nil || selection.ids.count == 1 else { throw ValidationError("--body needs exactly one id") }
        }

        func run() throws {
            let corrected = try body.map(Replay.read)
            let standardFields = try Environment.choice("SERVICEDESK_UNKNOWN_FIELDS", default: UnknownFields.reject)
            let window = try Environment.number(
                "SERVICEDESK_DELIVERY_WINDOW", SettingRanges.deliveryWindow,
                default: DeliveryPolicy(queue: queue.text).window)
            let handler = Handler(
                secrets: try secrets(), bodyLimit: Handler.largestBody,
                unknownFields: ignoreUnknownFields ? .ignore : standardFields, maxAge: 0,
                encoder: try job.encoder(for: queue))
            let client = try Environment.client()
            let quarantine = QuarantineService(client, queue: queue.text)
            var replayer = Replayer(handler: handler, quarantine: quarantine, queue: queue, window: window)
            let waiting = try WaitingFormats(of: QueueService(client, key: queue.queueKey))
            var hasFailed = false
            try selection.visit(quarantine) { entry in
                let id = String(decoding: entry.id, as: UTF8.self)
                switch try replayer.replay(entry, corrected ?? entry.body, waiting) {
                case .queued(let jobID): try StandardStreams.write(line: entry.id + [.tab] + jobID)
                case .refused(let lines):
                    hasFailed = true
                    for line in lines { StandardStreams.complain("\(id) is not queued: \(line)") }
                }
            }
            if hasFailed { throw ExitCode(1) }
        }

        /// Those of the tenants file, or one for all.
        private func secrets() throws -> Secrets {
            guard try tenants.path() != nil else {
                var random = RandomSource()
                return Secrets(shared: (0..<Secrets.minimumLength).map { _ in random.next() })
            }
            return Secrets(tenants: try tenants.store().keyRing().table)
        }

        private static func read(_ path: String) throws -> [UInt8] {
            do throws(SystemError) {
                return try readFile(path, limit: Handler.largestBody)
            } catch {
                throw ValidationError("--body: \(path) cannot be read (\(error))")
            }
        }
    }
}

/// Queues requests of the quarantine.
private struct Replayer {
    enum Outcome {
        case queued(jobID: [UInt8])
        case refused([String])
    }

    var handler: Handler
    let quarantine: QuarantineService
    let queue: QueueOptions
    /// Seconds for which a sender's name of a delivery is remembered; 0: not at all.
    let window: Int

    mutating func replay(_ entry: QuarantineEntry, _ body: [UInt8], _ waiting: WaitingFormats) throws -> Outcome {
        let claimant: Claimant
        switch (entry[.sender], entry[.tenant]) {
        case (let sender?, _): claimant = Claimant(isSender: true, id: Array(sender.utf8))
        case (nil, let tenant?): claimant = Claimant(isSender: false, id: Array(tenant.utf8))
        case (nil, nil): claimant = Claimant()
        }
        if let refusal = refusal(of: claimant, for: entry) { return .refused([refusal]) }
        var variables = [
            ("REQUEST_METHOD", Array("POST".utf8)),
            ("CONTENT_TYPE", Array((entry.isForm ? "application/x-www-form-urlencoded" : "application/json").utf8)),
        ]
        if let delivery = entry.delivery { variables.append(("HTTP_WEBHOOK_ID", delivery)) }
        let result = ReadBody(body, from: claimant, variables, &handler)
        guard let job = result.job else { return .refused(result.faults) }
        if let tenant = entry[.tenant], !result.exchange.ticket.tenantID.elementsEqual(tenant.utf8) {
            return .refused(["it is the ticket of a tenant other than \(tenant)"])
        }
        if let objection = waiting.objection(to: job) {
            return .refused(["\(objection): choose another --format"])
        }
        return try push(job, result.exchange, of: entry)
    }

    /// Why nobody may send as the entry's sender now; nil if it may.
    private func refusal(of claimant: Claimant, for entry: QuarantineEntry) -> String? {
        guard let tenants = handler.secrets.tenants else {
            return claimant.id.isEmpty ? nil : "its tenant is known from a tenants file: set SERVICEDESK_TENANTS_FILE"
        }
        guard !claimant.id.isEmpty else { return "no tenant is known of it: unset SERVICEDESK_TENANTS_FILE" }
        let name = "\(claimant.isSender ? "sender" : "tenant") \(String(decoding: claimant.id, as: UTF8.self))"
        return tenants.isActive(claimant) ? nil : "the \(name) is not in the tenants file, or inactive"
    }

    private func push(_ job: [UInt8], _ exchange: Exchange, of entry: QuarantineEntry) throws -> Outcome {
        let digest = exchange.digest
        let name = entry.delivery.map { delivery in
            Idempotency(queue: queue.text, window: window, waitsForReplicas: false).key(
                tenantID: exchange.ticket.tenantID, deliveryID: delivery, isSigned: entry.isDeliverySigned,
                jobID: exchange.jobID, digest: digest.span)
        }
        let remembered = window > 0 ? name : nil
        switch try quarantine.replay(entry.id, as: job, to: queue.queueKey, name: remembered, window: window) {
        case .queued: return .queued(jobID: exchange.jobID)
        case .gone: return .refused(["it has left the quarantine in the meantime"])
        case .existing(let value):
            switch Idempotency.verdict(on: value, jobID: exchange.jobID, digest: digest.span) {
            case .own: return .queued(jobID: exchange.jobID)
            case .repeated(let jobID): return .queued(jobID: jobID)
            case .conflict:
                return .refused([
                    "a delivery of the same name but with another body was queued before: `quarantine drop` removes this one"
                ])
            case .foreign: return .refused(["its idempotency key holds something else"])
            }
        }
    }
}
