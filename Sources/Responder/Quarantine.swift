import Delivery
import EventLoop
import Redis
import System
import Webhook

/// Keeps requests that were refused in a stream in Redis, beside the queue.
///
/// On a thread, with a connection of its own for each batch: neither an answer nor a job waits for it. What cannot be kept is
/// counted, and nothing else.
struct Quarantine: ~Copyable {
    /// Requests that wait for the thread, at most, and their bytes.
    private static let waitingLimit = 256
    private static let waitingBytesLimit = 8_388_608
    /// For how long a tenant is not tried again once it has as many entries as it may have.
    private static let pause = Nanoseconds.seconds(60)
    /// Tenants that are remembered for that, at most.
    private static let pausedLimit = 10_000
    /// For how long a process that ends waits for the thread.
    static let patience = Nanoseconds.seconds(3)
    /// Bytes of a reply's string; those that are expected are numbers.
    private static let replyLimit = 1_024

    struct Result: Sendable {
        var kept = 0
        /// Of tenants that have as many as they may have.
        var limited: [[UInt8]] = []
        var failed = 0
        /// Why, of the last of them.
        var failure = ""

        mutating func fail(_ count: Int, _ reason: String) {
            failed += count
            failure = reason
        }
    }

    private let limits: QuarantineLimits
    private let queue: String
    private var address: Address
    private var tls: TLSContext?
    private var work: BackgroundWork<Result>
    /// Requests that the thread has.
    private var batchCount = 0
    private var waiting: [RefusedRequest] = []
    private var waitingBytes = 0
    private var paused: [[UInt8]: Instant] = [:]
    /// Since the last look.
    private var result = Result()

    init(limits: QuarantineLimits, queue: String, at address: Address, tls: TLSContext?) throws(SystemError) {
        (self.limits, self.queue, self.address, self.tls) = (limits, queue, address, tls)
        work = try BackgroundWork<Result>()
    }

    /// Readable when the thread has ended.
    var number: Int32 { work.number }

    mutating func setTLS(_ context: TLSContext) { tls = context }
    mutating func setPassword(_ password: String) { address = address.with(password: password) }

    /// Takes a request to be kept.
    mutating func take(_ request: RefusedRequest, at now: Instant) {
        let owner = request.owner
        if let end = paused[owner] {
            guard now >= end else { return result.limited.append(owner) }
            paused[owner] = nil
        }
        guard waiting.count < Quarantine.waitingLimit, waitingBytes + request.size <= Quarantine.waitingBytesLimit
        else {
            return result.fail(1, "they come faster than Redis takes them")
        }
        waiting.append(request)
        waitingBytes += request.size
    }

    /// Gives what waits to the thread, if that is free.
    mutating func endTurn() {
        guard !waiting.isEmpty, !work.isBusy else { return }
        let batch = waiting
        let (limits, queue, address, tls) = (limits, queue, address, tls)
        let isStarted = work.start { Quarantine.keep(batch, within: limits, queue, address, tls) }
        if !isStarted { result.fail(batch.count, "no thread can be started") }
        batchCount = batch.count
        (waiting, waitingBytes) = ([], 0)
    }

    private static func keep(
        _ batch: [RefusedRequest], within limits: QuarantineLimits, _ queue: String, _ address: Address,
        _ tls: TLSContext?
    ) -> Result {
        var result = Result()
        do throws(ClientFailure) {
            let service = QuarantineService(try Client(address, tls: tls, bulkLimit: replyLimit), queue: queue)
            for request in batch {
                let fields = request.members.map { (name: $0.member.rawValue, value: $0.value) }
                guard !result.limited.contains(request.owner),
                    try service.add(fields, of: request.owner, within: limits)
                else {
                    result.limited.append(request.owner)
                    continue
                }
                result.kept += 1
            }
        } catch {
            result.fail(batch.count - result.kept - result.limited.count, error.quarantineAdvice)
        }
        return result
    }

    /// Takes the thread's result, if it has ended.
    mutating func finish(at now: Instant) {
        guard let found = work.finish() else { return }
        for owner in found.limited {
            if paused.count >= Quarantine.pausedLimit { paused = [:] }
            paused[owner] = now + Quarantine.pause
        }
        result.kept += found.kept
        result.limited += found.limited
        if found.failed > 0 { result.fail(found.failed, found.failure) }
    }

    /// What has become of requests since the last call; nil if nothing has.
    mutating func takeResult() -> Result? {
        guard result.kept + result.failed + result.limited.count > 0 else { return nil }
        defer { result = Result() }
        return result
    }

    /// Waits for the thread, and for what still waits for it, until `end`.
    mutating func close(by end: Instant) {
        while true {
            endTurn()
            guard work.isBusy else { return }
            guard work.wait(until: end) else {
                return result.fail(batchCount + waiting.count, "the process ends, and Redis has not answered")
            }
            finish(at: .now)
        }
    }
}

extension ClientFailure {
    /// What happened, and what to do about it.
    fileprivate var quarantineAdvice: String {
        guard case .refused("NOPERM") = self else { return description }
        return "\(self): grant it +incrby +expire +xtrim +xadd, and the keys of \"Quarantine\" in the README"
    }
}

extension Responder {
    mutating func openQuarantine() {
        guard settings.quarantine.entries > 0 else { return }
        do throws(SystemError) {
            let opened = try Quarantine(
                limits: settings.quarantine, queue: settings.delivery.queue, at: settings.redis, tls: network.tlsContext
            )
            try loop.watch(opened.number, for: .readable, as: Token(.quarantine))
            quarantine = consume opened
        } catch {
            log.line(.error, "SERVICEDESK_QUARANTINE has no effect: \(error)")
        }
    }

    /// Keeps a request whose payload was refused, if that is wanted.
    mutating func keepRefused(_ slot: Int, _ reason: Reason, body: Span<UInt8>) {
        guard quarantine != nil, reason.isPayloadRefusal else { return }
        let request = RefusedRequest(exchanges[slot], reason, body: body, time: log.time)
        quarantine?.take(request, at: loop.now)
    }

    /// At the end of the process: what waits is kept if that does not take long, and the process may wait.
    mutating func closeQuarantine() {
        quarantine?.close(by: drain.isAtOnce ? .now : .now + Quarantine.patience)
        noteQuarantine()
    }

    /// Counts what has become of refused requests, and logs each change between success and failure: of failures that come
    /// and go, one in ten seconds.
    mutating func noteQuarantine() {
        guard let result = quarantine?.takeResult() else { return }
        metrics.add(.quarantined, result.kept)
        metrics.add(.quarantineLimited, result.limited.count)
        metrics.add(.quarantineFailures, result.failed)
        if result.failed > 0 && !isQuarantineFailing && loop.now >= quarantineFailureDue {
            isQuarantineFailing = true
            quarantineFailureDue = loop.now + .seconds(10)
            log.line(
                .error,
                "refused requests are not kept in \(QueueKeys.quarantine(of: settings.delivery.queue)) (\(result.failure)): see servicedesk_quarantined_requests_total"
            )
        } else if result.failed == 0 && result.kept > 0 && isQuarantineFailing {
            isQuarantineFailing = false
            log.line(.info, "refused requests are kept again")
        }
    }
}
