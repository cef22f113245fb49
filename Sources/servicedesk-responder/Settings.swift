import EventLoop
import FastCGI
import Redis
import Webhook

/// What the environment says, checked.
struct Settings {
    var secrets: Secrets
    var tenantsFile: String?
    var pool: Pool.Settings
    var server: Server.Limits
    var unknownFields: UnknownFields
    var drainTimeout: Nanoseconds
    var logLevel: LogLevel
    var logFormat: LogFormat
    var logFile: String?
    var runtimeDirectory: String?
    /// Variables that look like settings and are none.
    var unknownVariables: [String]

    /// Bytes of a tenants file: 100,000 tenants with two secrets have room.
    static let tenantsFileLimit = 67_108_864

    /// Every fault of the environment, a line each.
    struct Faults: Error {
        let lines: [String]
    }

    init(_ environment: [String: String]) throws(Faults) {
        var reader = SettingsReader(environment)
        var pool = Pool.Settings(address: reader.address("SERVICEDESK_REDIS_URL", default: "redis://127.0.0.1:6379/0"))
        pool.queue = reader.text("SERVICEDESK_QUEUE_KEY", limit: 512) ?? "enhancement:queue"
        pool.maxConnections = reader.number("SERVICEDESK_REDIS_MAX_CONNECTIONS", 1...100, default: 10)
        pool.connectTimeout = reader.seconds("SERVICEDESK_REDIS_CONNECT_TIMEOUT", 0.01...60, default: 5)
        pool.replyTimeout = reader.seconds("SERVICEDESK_REDIS_TIMEOUT", 0.01...60, default: 5)
        pool.attempts = reader.number("SERVICEDESK_REDIS_ATTEMPTS", 1...100, default: 3)
        pool.retryDelay = reader.seconds("SERVICEDESK_REDIS_RETRY_DELAY", 0.001...60, default: 1)
        pool.pushDeadline = reader.seconds("SERVICEDESK_PUSH_DEADLINE", 0.01...600, default: 8)
        pool.maxPending = reader.number("SERVICEDESK_MAX_PENDING", 1...1_000_000, default: 4096)
        pool.maxDepth = reader.number("SERVICEDESK_MAX_QUEUE_DEPTH", 0...4_000_000_000, default: 0)
        pool.window = reader.number("SERVICEDESK_DELIVERY_WINDOW", 0...31_536_000, default: 86_400)
        if let wait = reader.wait("SERVICEDESK_REDIS_WAIT", timeout: pool.replyTimeout) {
            (pool.waitReplicas, pool.waitMilliseconds) = wait
        }
        self.pool = pool
        server = Server.Limits(
            request: reader.seconds("SERVICEDESK_REQUEST_TIMEOUT", 0.01...600, default: 5),
            body: reader.number("SERVICEDESK_MAX_BODY", 1...131_072, default: 131_072))
        unknownFields = reader.choice("SERVICEDESK_UNKNOWN_FIELDS", default: .reject)
        drainTimeout = reader.seconds("SERVICEDESK_DRAIN_TIMEOUT", 0...600, default: 10)
        logLevel = reader.choice("SERVICEDESK_LOG_LEVEL", default: .info)
        logFormat = reader.choice("SERVICEDESK_LOG_FORMAT", default: .json)
        logFile = reader.text("SERVICEDESK_LOG_FILE", limit: 4095)
        runtimeDirectory = reader.directory("SERVICEDESK_RUNTIME_DIR")
        tenantsFile = reader.text("SERVICEDESK_TENANTS_FILE", limit: 4095)
        secrets = reader.secrets("SERVICEDESK_SECRET", tenants: "SERVICEDESK_TENANTS_FILE", file: tenantsFile)
        unknownVariables = reader.unknown()
        guard reader.faults.isEmpty else { throw Faults(lines: reader.faults) }
    }

    /// Reads a tenants file. The fault is one line that names neither tenants nor secrets.
    static func readTenants(_ path: String) throws(Faults) -> Secrets {
        let content: [UInt8]
        do throws(SystemError) {
            content = try readFile(path, limit: tenantsFileLimit)
        } catch {
            throw Faults(lines: ["\(path) cannot be read (\(error))"])
        }
        let (tenants, faults) = Secrets.parse(content)
        guard faults.isEmpty else {
            let more = faults.count > 5 ? ["and \(faults.count - 5) faults more"] : []
            throw Faults(lines: ["\(path): " + (faults.prefix(5) + more).joined(separator: "; ")])
        }
        return Secrets(tenants: tenants)
    }
}
