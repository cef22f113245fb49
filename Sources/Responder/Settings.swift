import Delivery
import FastCGI
import Product
import Redis
import System
import Webhook

/// Every fault of the environment, or of a file that it names: a line each.
package struct SettingsFault: Error {
    package let lines: [String]
    /// Whether a file may be read later though nobody changes anything.
    var passesByItself = false
}

/// What the environment says, checked.
package struct Settings {
    /// Taken out by the responder, which replaces them when their file is read again.
    private var secrets: Secrets?
    let secretSource: SecretSource
    /// Of the tenants file, if there is one.
    let tenantsWatch: FileWatch?
    var redis: Address
    let redisPasswordFile: String?
    /// Taken out of the files that the address names; nil without TLS.
    let redisTLS: TLSContext?
    var delivery: DeliveryPolicy
    var server: Server.Limits
    /// Who may connect over TCP; nil: everybody.
    var webServers: WebServerAddresses?
    /// Seconds that `created_at` may lie before or after now; 0: any.
    var maxAge: Int
    var unknownFields: UnknownFields
    var quarantine: QuarantineLimits
    var jobFormat: JobFormat
    var jobEncoder: JobEncoder
    var drainTimeout: Nanoseconds
    var logLevel: LogLevel
    var logFormat: LogFormat
    var logFile: String?
    var runtimeDirectory: String?
    /// Lines that nginx needs for the headers that the tenants file names.
    let missingHeaderLines: [String]
    /// What is odd about secrets, though they can be used.
    var secretWarnings: [String]
    /// Variables that look like settings and are none.
    var unknownVariables: [String]

    init(_ environment: [String: [UInt8]]) throws(SettingsFault) {
        var reader = SettingsReader(environment)
        redisPasswordFile = reader.path("SERVICEDESK_REDIS_PASSWORD_FILE")
        redis = reader.address("SERVICEDESK_REDIS_URL", passwordFile: redisPasswordFile, default: Defaults.redisURL)
        redisTLS = reader.tls(of: &redis)
        var delivery = DeliveryPolicy(queue: reader.text("SERVICEDESK_QUEUE_KEY", limit: 512) ?? Defaults.queueKey)
        reader.set(&delivery.maxConnections, "SERVICEDESK_REDIS_MAX_CONNECTIONS", 1...100)
        reader.set(&delivery.connectTimeout, "SERVICEDESK_REDIS_CONNECT_TIMEOUT", 0.01...60)
        reader.set(&delivery.replyTimeout, "SERVICEDESK_REDIS_TIMEOUT", 0.01...60)
        reader.set(&delivery.attempts, "SERVICEDESK_REDIS_ATTEMPTS", 1...100)
        reader.set(&delivery.retryDelay, "SERVICEDESK_REDIS_RETRY_DELAY", 0.001...60)
        reader.set(&delivery.pushDeadline, "SERVICEDESK_PUSH_DEADLINE", 0.01...600)
        reader.set(&delivery.maxPending, "SERVICEDESK_MAX_PENDING", 1...1_000_000)
        reader.set(&delivery.maxDepth, "SERVICEDESK_MAX_QUEUE_DEPTH", 0...4_000_000_000)
        reader.set(&delivery.window, "SERVICEDESK_DELIVERY_WINDOW", SettingRanges.deliveryWindow)
        if let wait = reader.wait("SERVICEDESK_REDIS_WAIT", timeout: delivery.replyTimeout) {
            (delivery.waitReplicas, delivery.waitMilliseconds) = wait
        }
        self.delivery = delivery
        server = Server.Limits(
            request: reader.seconds("SERVICEDESK_REQUEST_TIMEOUT", 0.01...600, default: 5),
            body: reader.number("SERVICEDESK_MAX_BODY", 1...Handler.largestBody, default: Handler.largestBody))
        webServers = reader.webServers("FCGI_WEB_SERVER_ADDRS")
        maxAge = reader.number("SERVICEDESK_MAX_AGE", 0...31_536_000, default: 0)
        quarantine = reader.quarantine()
        unknownFields = reader.choice("SERVICEDESK_UNKNOWN_FIELDS", default: .reject)
        jobFormat = reader.choice("SERVICEDESK_JOB_FORMAT", default: .plain)
        jobEncoder = JobEncoder(
            jobFormat, members: reader.jobMembers("SERVICEDESK_JOB_MEMBERS"),
            task: reader.taskName("SERVICEDESK_CELERY_TASK"), queue: delivery.queue)
        drainTimeout = reader.seconds("SERVICEDESK_DRAIN_TIMEOUT", 0...600, default: 10)
        logLevel = reader.choice("SERVICEDESK_LOG_LEVEL", default: .info)
        logFormat = reader.choice("SERVICEDESK_LOG_FORMAT", default: .json)
        logFile = reader.logFile("SERVICEDESK_LOG_FILE")
        runtimeDirectory = reader.directory("SERVICEDESK_RUNTIME_DIR")
        let found = reader.secrets(
            "SERVICEDESK_SECRET", file: "SERVICEDESK_SECRET_FILE", tenants: "SERVICEDESK_TENANTS_FILE")
        (secrets, secretSource) = (found?.secrets, found?.source ?? .environment)
        tenantsWatch = reader.tenantsWatch
        missingHeaderLines = found?.secrets.headers.missingLines ?? []
        secretWarnings = reader.warnings + (found?.secrets.tenants?.warnings ?? []).map { "tenants file: \($0)" }
        unknownVariables = reader.unknown()
        guard reader.faults.isEmpty else { throw SettingsFault(lines: reader.faults) }
    }

    mutating func takeSecrets() -> Secrets {
        guard let taken = secrets.take() else { preconditionFailure("the secrets have been taken") }
        return taken
    }
}
