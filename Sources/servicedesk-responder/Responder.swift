import Bytes
import EventLoop
import FastCGI
import Glibc
import Redis
import Webhook

/// One process: its loop, and how what arrives flows through it.
///
///     readable FastCGI connections ─► exchange ─► handler ─► pool ─┐ end of the turn: one write to each Redis connection
///     readable Redis connections   ─► completions ─► answers       │ and one to the log
///     due timers                   ─► deadlines, retries, probes  ◄┘
struct Responder: ~Copyable {
    /// Whose an event is.
    enum Kind {
        static let listener: UInt8 = 1, web: UInt8 = 2, redis: UInt8 = 3, resolver: UInt8 = 4, signals: UInt8 = 5
    }

    let loop: EventLoop
    let server: Server
    let pool: Pool
    let signals: Signals
    let metrics: Metrics
    var queue: PoolQueue
    var handler: Handler
    var log: Log
    var clock = TurnClock()
    let settings: Settings

    /// One for each slot of the server's connections.
    var exchanges: [Exchange] = []
    /// When each exchange's request was whole.
    var started: [Instant] = []
    private var response: [UInt8] = []

    /// Since when no more is accepted; never, while the process serves.
    var drainEnd = Instant.never
    var isDraining: Bool { drainEnd != .never }
    private(set) var isFinished = false

    init(settings: Settings, listener: consuming Listener, signals: consuming Signals, log: consuming Log)
        throws(SystemError)
    {
        let loop = try EventLoop()
        let server = try Server(listener, in: loop, kinds: (Kind.listener, Kind.web), limits: settings.server)
        let pool = try Pool(settings: settings.pool, in: loop, kinds: (Kind.redis, Kind.resolver))
        let pages =
            if let directory = settings.runtimeDirectory {
                try CounterPages(directory: directory, layout: Metrics.layout)
            } else {
                try CounterPages()
            }
        try loop.watch(signals.descriptor.number, for: .readable, as: Token(kind: Kind.signals))
        self.settings = settings
        self.signals = signals
        self.log = log
        self.loop = loop
        self.server = server
        self.pool = pool
        queue = PoolQueue(pool, queue: settings.pool.queue)
        handler = Handler(
            secrets: settings.secrets, bodyLimit: settings.server.body, unknownFields: settings.unknownFields)
        metrics = Metrics(pages: pages)
    }

    /// Says that it is there, and as what.
    mutating func start() {
        log.time = clock.text(at: loop.now)
        metrics.set(.processID, Int(getpid()))
        metrics.set(.startTime, Int(WallClock.now.microseconds / 1_000_000))
        for name in settings.unknownVariables { log.line(.warning, "\(name) is no setting, and is ignored") }
        if log.begin(.info, "started") {
            log.add("version", text: version)
            log.add("redis", text: settings.pool.address.description)
            log.add("queue", text: settings.pool.queue)
            log.add("pid", number: Int(getpid()))
            log.end()
        }
        logPoolEvents()
        log.flush()
    }

    /// Takes turns until the process has drained.
    mutating func run() {
        while !isFinished {
            turn()
            if isDraining && (server.connectionCount == 0 || loop.now >= drainEnd) { isFinished = true }
        }
        pool.close()
        log.line(.info, "stopped")
        log.flush()
    }

    private mutating func turn() {
        let count = loop.wait(until: min(drainEnd, log.due))
        log.time = clock.text(at: loop.now)
        for index in 0..<count {
            let (token, readiness) = loop.event(index)
            handle(token, readiness)
        }
        while let token = loop.due() { timer(token) }
        // An answer can make room for a request that came early, and so for another push.
        repeat {
            pool.flush()
            pool.takeCompletions { complete($0) }
        } while pool.hasUnsent
        logPoolEvents()
        setGauges()
        log.turnEnded(at: loop.now)
    }

    private mutating func handle(_ token: Token, _ readiness: Readiness) {
        switch token.kind {
        case Kind.web: receive(token, readiness)
        case Kind.redis: pool.event(token, readiness)
        case Kind.listener: accept()
        case Kind.signals: takeSignals()
        default: pool.resolverEvent()
        }
    }

    private mutating func timer(_ token: Token) {
        switch token.kind {
        case Kind.web: if case .dropped(let reason) = server.timer(token) { logDrop(reason) }
        case Kind.redis: pool.timer(token)
        default: server.resumeAccepting()
        }
    }

    private mutating func accept() {
        guard let error = server.accept() else { return }
        metrics.add(.acceptFailures)
        guard log.begin(.error, "no connection can be accepted for 100 ms: raise the limit of open files") else {
            return
        }
        log.add("error", text: "\(error)")
        log.end()
    }

    // MARK: Requests

    private mutating func receive(_ token: Token, _ readiness: Readiness) {
        let slot = Int(token.slot)
        while slot >= exchanges.count {
            exchanges.append(Exchange())
            started.append(.never)
        }
        let arrival = server.receive(token, readiness) { name, value in exchanges[slot].take(name, value) }
        switch arrival {
        case .nothing: return
        case .dropped(let reason):
            exchanges[slot].reset()
            logDrop(reason)
        case .request(let length), .tooLong(let length):
            started[slot] = loop.now
            exchanges[slot].complete(bodyLength: length, random: &handler.random)
            handle(slot, token, isWhole: arrival == .request(bodyLength: length))
        }
    }

    private mutating func handle(_ slot: Int, _ token: Token, isWhole: Bool) {
        let body = server.body
        let length = isWhole ? exchanges[slot].bodyLength : 0
        let disposition = handler.handle(
            &exchanges[slot], body: body.span.extracting(first: length), time: log.time, waiter: token.bits,
            queue: &queue)
        switch disposition {
        case .queued: break
        case .answer(let reason): answer(token, reason)
        case .drop:
            server.abandon(token)
            exchanges[slot].reset()
            metrics.pages.add(1, to: Metrics.firstDrop + Drop.lengthMismatch)
            log.line(.warning, "a request was dropped: its body is not as long as its Content-Length")
        case .metrics, .live, .ready: answerAboutSelf(disposition, token)
        }
    }

    private mutating func complete(_ completion: Pool.Completion) {
        let token = Token(bits: completion.waiter)
        let slot = Int(token.slot)
        metrics.observe(.push, nanoseconds: Instant.now.since(started[slot]))
        switch completion.result {
        case .queued(let depth):
            metrics.set(.queueDepth, depth)
            metrics.set(.queueDepthTime, Int(loop.now.nanoseconds))
            answer(token, .accepted)
        case .failed(let failure): answer(token, Reason(failure), error: failure)
        case .marked(let found):
            let mine = PoolQueue.markValue(id: exchanges[slot].jobID, digest: exchanges[slot].digest)
            switch PoolQueue.compare(found: found, mine: mine) {
            case .same: answer(token, .accepted)
            case .conflict: answer(token, .deliveryConflict)
            case .repeated(let jobID):
                exchanges[slot].repeats(jobID)
                answer(token, .repeated)
            }
        }
    }

    // MARK: Answers

    private mutating func answer(_ token: Token, _ reason: Reason, error: PushFailure? = nil) {
        let slot = Int(token.slot)
        response.removeAll(keepingCapacity: true)
        let retryAfter = reason.status == 503 ? pool.retryAfter : 0
        // Borrowed from the span: the array would give a copy of all that the exchange holds.
        exchanges.span[slot].appendAnswer(reason, retryAfter: retryAfter, to: &response)
        finish(token, reason, error: error)
    }

    private mutating func answerAboutSelf(_ disposition: Disposition, _ token: Token) {
        let slot = Int(token.slot)
        response.removeAll(keepingCapacity: true)
        switch disposition {
        case .metrics:
            setGauges()
            let text = MetricsText.render(metrics)
            exchanges[slot].appendAnswer(
                .ok, type: "text/plain; version=0.0.4; charset=utf-8", body: text, to: &response)
            finish(token, .ok)
        case .ready where !pool.isUsable || isDraining:
            answer(token, .notReady)
        default:
            let body = Array(#"{"status":"ok"}"#.utf8)
            exchanges[slot].appendAnswer(.ok, type: "application/json", body: body, to: &response)
            finish(token, .ok)
        }
    }

    /// Sends what `response` holds, counts and logs it, and readies the slot for the next request.
    private mutating func finish(_ token: Token, _ reason: Reason, error: PushFailure? = nil) {
        let slot = Int(token.slot)
        let response = response
        let isDelivered = server.answer(token, with: response.span) || server.answerTooLong(token, with: response.span)
        let nanoseconds = Instant.now.since(started[slot])
        metrics.count(reason)
        metrics.observe(.request, nanoseconds: nanoseconds)
        if !isDelivered {
            metrics.add(.undeliveredAnswers)
            if reason.status == 202 { metrics.add(.queuedUnanswered) }
        }
        logRequest(slot, reason, nanoseconds: nanoseconds, isDelivered: isDelivered, error: error)
        exchanges[slot].reset()
        if server.arrivedEarly(token) { receive(token, .readable) }
    }

    // MARK: Gauges

    private mutating func setGauges() {
        metrics.set(.pendingPushes, pool.pendingCount)
        metrics.set(.webConnections, server.connectionCount)
        metrics.set(.breakerOpen, pool.breakerState == .closed ? 0 : 1)
        let counts = pool.connectionCounts
        metrics.set(.readyConnections, counts.ready)
        metrics.set(.busyConnections, counts.busy)
        metrics.set(.connectingConnections, counts.connecting)
        metrics.add(.droppedLogLines, log.takeDropped())
    }

    mutating func finishNow() { isFinished = true }
}
