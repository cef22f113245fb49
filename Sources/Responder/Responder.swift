import Bytes
import Delivery
import EventLoop
import FastCGI
import Glibc
import Product
import Redis
import System
import Webhook

/// One process: its loop, and how what arrives flows through it.
///
///     readable FastCGI connections ─► exchange ─► handler ─► pool ─┐ end of the turn: one write to each Redis connection
///     readable Redis connections   ─► completions ─► answers       │ and one to the log
///     due timers                   ─► deadlines, retries, probes  ◄┘
struct Responder: ~Copyable {
    let loop: EventLoop
    let network: LoopNetwork
    let server: Server
    let signals: Signals
    let metrics: Metrics
    var usage = ProcessUsage()
    var queue: any QueuePort
    var handler: Handler
    var log: Log
    var clock = TurnClock()
    let settings: Settings
    /// Reads the files of secrets, and wipes the tenants that it replaced.
    var reloading: BackgroundWork<ReloadWork>
    var hasReloadWaiting = false
    /// The fault of the last reload, if it passes by itself.
    var passingReloadFault: String?
    /// Of the tenants file, if there is one.
    var tenantsWatch: FileWatch?
    var isWatchingTenants = false
    /// When keys were last used; nil without a tenants file or a runtime directory.
    let keyUses: KeyUses?
    private let keyUsesFailure: SystemError?
    var keyPlaces = KeyPlaces()
    /// What tenants have left of their limits; nil if none has one.
    var allowances: TenantAllowances?
    var toldAllowancesFault: TenantAllowances.Fault?
    var isLossOfAllowancesTold = false
    /// Looks at the jobs that are in the queue at the start; nil before and afterwards.
    var formatCheck: BackgroundWork<FormatFinding>?
    /// Keeps refused requests, if that is wanted.
    var quarantine: Quarantine?
    var isQuarantineFailing = false
    /// From when on another failure of it is logged.
    var quarantineFailureDue = Instant(nanoseconds: 0)
    /// Why the counters are not shared, if they are not.
    private let metricsFailure: SystemError?
    var isLossOfCountersTold = false

    /// One for each slot of the server's connections.
    var exchanges: [Exchange] = []
    /// To whom each exchange's answer goes, and since when its request is whole.
    var requests: [OpenRequest] = []
    var response: [UInt8] = []

    var drain = Drain.none
    /// Whether this process ends because it can no longer do its work.
    var hasFailed = false

    init(settings: consuming Settings, listener: consuming Listener, signals: consuming Signals, log: consuming Log)
        throws(SystemError)
    {
        let loop = try EventLoop()
        let server = try Server(listener, in: loop, limits: settings.server)
        let network = LoopNetwork(loop, tls: settings.redisTLS)
        let pool = Pool(to: settings.redis, policy: settings.delivery, over: network)
        let reloading = try BackgroundWork<ReloadWork>()
        try loop.watch(reloading.number, for: .readable, as: Token(.reload))
        try loop.watch(signals.descriptor.number, for: .readable, as: Token(.signals))
        let secrets = settings.takeSecrets()
        (metrics, metricsFailure) = try Metrics.shared(in: settings.runtimeDirectory)
        (keyUses, keyUsesFailure) = KeyUses.shared(in: secrets.arePerTenant ? settings.runtimeDirectory : nil)
        handler = Handler(
            secrets: secrets, bodyLimit: settings.server.body, unknownFields: settings.unknownFields,
            maxAge: settings.maxAge, encoder: settings.jobEncoder)
        queue = RedisQueue(pool)
        tenantsWatch = settings.tenantsWatch
        self.settings = settings
        self.reloading = reloading
        self.signals = signals
        self.log = log
        self.loop = loop
        self.network = network
        self.server = server
    }

    /// Logs the start-up line, and what an operator should know beside it.
    mutating func start() {
        log.time = clock.text(at: loop.now)
        metrics.set(.processID, Int(getpid()))
        metrics.set(.startTime, Int(WallClock.now.microseconds / 1_000_000))
        for name in settings.unknownVariables { log.line(.warning, "unknown setting \(name) ignored") }
        for warning in settings.secretWarnings { log.line(.warning, warning) }
        if let tenants = handler.secrets.tenants {
            use(tenants, KeyPlaces(of: tenants, in: keyUses))
            limit(by: TenantAllowances(of: tenants, directory: settings.runtimeDirectory))
        }
        if let keyUsesFailure, let directory = settings.runtimeDirectory {
            log.line(
                .error,
                "SERVICEDESK_RUNTIME_DIR \(directory) cannot hold the uses of keys (\(keyUsesFailure)): servicedeskctl tenant list does not know them"
            )
        }
        watchTenants()
        openQuarantine()
        if let metricsFailure, let directory = settings.runtimeDirectory {
            log.line(
                .error,
                "SERVICEDESK_RUNTIME_DIR \(directory) cannot hold counters (\(metricsFailure)): /metrics is incomplete")
        }
        if log.begin(.info, "started") {
            log.add("version", text: version)
            log.add("redis", text: settings.redis.description)
            log.add("queue", text: settings.delivery.queue)
            log.add("pid", number: Int(getpid()))
            log.end()
        }
        noteQueueEvents()
        log.flush()
    }

    /// Takes turns until the process has drained.
    mutating func run() {
        repeat { turn() } while !advanceDrain()
        queue.close()
        closeQuarantine()
        usage.noteNow(in: metrics, at: loop.now)
        log.line(.info, "stopped")
        log.flushAtEnd()
    }

    /// How often a turn looks for events, at most.
    private static let looksPerTurn = 4

    private mutating func turn() {
        var count = loop.wait(until: min(drain.nextStep, log.due))
        log.time = clock.text(at: loop.now)
        var looks = 0
        while count > 0 {
            var hasAccepted = false
            for index in 0..<count {
                let (token, readiness) = loop.event(index)
                hasAccepted = hasAccepted || token.owner == .listener
                handle(token, readiness)
            }
            looks += 1
            // The more pushes are sent at once, the less each costs here and in Redis. But connections that wait to be
            // accepted are left for other processes too.
            count = looks < Responder.looksPerTurn && !hasAccepted ? loop.look() : 0
        }
        while let token = loop.due() { timer(token) }
        queue.endTurn()
        queue.takeCompletions { complete($0) }
        noteQueueEvents()
        quarantine?.endTurn()
        noteQuarantine()
        logLostCounters()
        logLostAllowances()
        setGauges()
        usage.note(in: metrics, at: loop.now)
        log.turnEnded(at: loop.now)
    }

    private mutating func handle(_ token: Token, _ readiness: Readiness) {
        switch token.owner {
        case .webConnection: receive(token, readiness)
        case .redisConnection, .resolver: queue.event(token, readiness)
        case .listener: note(server.accept())
        case .signals: takeSignals()
        case .reload: finishReload()
        case .formatCheck: finishFormatCheck()
        case .quarantine: quarantine?.finish(at: loop.now)
        case .redisPool: break  // It has timers only.
        }
    }

    private mutating func timer(_ token: Token) {
        switch token.owner {
        case .webConnection:
            let slot = Int(token.slot)
            let headers = handler.secrets.headers
            let overdue = server.timer(token) { name, value in exchanges[slot].take(name, value, headers: headers) }
            if let (token, arrival) = overdue { take(arrival, of: token) }
        case .redisPool: queue.timerFired(token)
        case .listener: note(server.resumeAccepting())
        case .reload: lookAtTenants()
        case .redisConnection, .resolver, .signals, .formatCheck, .quarantine: break  // They set no timers.
        }
    }

    // MARK: Requests

    private mutating func receive(_ token: Token, _ readiness: Readiness) {
        let slot = Int(token.slot)
        while slot >= exchanges.count {
            exchanges.append(Exchange())
            requests.append(OpenRequest(token: token))
        }
        let headers = handler.secrets.headers
        let arrival = server.receive(token, readiness) { name, value in
            exchanges[slot].take(name, value, headers: headers)
        }
        take(arrival, of: token)
    }

    private mutating func take(_ arrival: Arrival, of token: Token) {
        let slot = Int(token.slot)
        switch arrival {
        case .nothing: return
        case .dropped(let reason):
            reset(slot)
            note(reason)
        case .request(let length): handle(token, bodyLength: length, keptLength: length)
        case .tooLong(let length):
            metrics.add(.oversizeRequests)
            handle(token, bodyLength: length, keptLength: 0)
        }
    }

    private mutating func handle(_ token: Token, bodyLength: Int, keptLength: Int) {
        let slot = Int(token.slot)
        let request = requests[slot].begin(token, slot: slot, at: loop.now)
        exchanges[slot].complete(bodyLength: bodyLength, random: &handler.random)
        let body = server.body
        let disposition = handler.handle(
            &exchanges[slot], body: body.span.extracting(first: keptLength), time: log.time, request: request,
            queue: &queue)
        noteUse(of: exchanges[slot].key?.index)
        switch disposition {
        case .queued: break
        case .answer(let reason):
            keepRefused(slot, reason, body: body.span.extracting(first: keptLength))
            answer(token, reason)
        case .drop:
            server.abandon(token)
            reset(slot)
            note(.lengthMismatch)
        case .metrics, .live, .ready: answerAboutSelf(disposition, token)
        }
    }

    private mutating func complete(_ completion: QueueCompletion) {
        let slot = Int(completion.request.slot)
        // A result that comes after its request has ended finds nobody.
        guard let token = requests[slot].token(for: completion.request) else { return }
        metrics.observe(.push, nanoseconds: Instant.now.since(requests[slot].began))
        switch completion.result {
        case .queued(let depth):
            metrics.set(.queueDepth, depth)
            metrics.set(.queueDepthTime, Int(loop.now.nanoseconds))
            answer(token, .accepted)
        case .failed(let failure): answer(token, Reason(failure), error: failure)
        case .existing(let value):
            let digest = exchanges[slot].digest
            switch Idempotency.verdict(on: value, jobID: exchanges[slot].jobID, digest: digest.span) {
            case .own: answer(token, .accepted)
            case .conflict: answer(token, .deliveryConflict)
            case .foreign: answer(token, Reason(.foreignValue), error: .foreignValue)
            case .repeated(let jobID):
                exchanges[slot].repeats(jobID)
                answer(token, .repeated)
            }
        }
    }

    // MARK: Gauges

    mutating func setGauges() {
        let health = queue.health
        metrics.set(.pendingPushes, health.pendingCount)
        metrics.set(.webConnections, server.connectionCount)
        metrics.set(.breakerOpen, health.isBreakerOpen ? 1 : 0)
        metrics.set(.readyConnections, health.connections.ready)
        metrics.set(.busyConnections, health.connections.busy)
        metrics.set(.connectingConnections, health.connections.connecting)
        metrics.add(.droppedLogLines, log.takeDropped())
    }
}
