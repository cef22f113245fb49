import EventLoop
import FastCGI
import Glibc
import Redis
import Webhook

/// The life cycle, as signals steer it.
extension Responder {
    /// TERM, INT and USR1 drain, the second one ends at once; HUP opens the log anew and reads the tenants again.
    static let signals = [SIGTERM, SIGINT, SIGUSR1, SIGHUP]

    mutating func takeSignals() {
        while let signal = signals.next() {
            if signal == SIGHUP {
                reload()
            } else if isDraining {
                log.line(.warning, "stopping at once: \(pool.pendingCount) jobs wait for Redis")
                finishNow()
            } else {
                drain()
            }
        }
    }

    /// Takes in who waits on the socket, accepts no more, and goes on serving the connections that there are until the web
    /// server has closed them: closing one just as it is used again would cost a request.
    private mutating func drain() {
        log.line(.info, "draining: no more connections are accepted")
        drainEnd = loop.now + settings.drainTimeout
        server.stopAccepting()
    }

    private mutating func reload() {
        if let error = log.reopen() {
            log.line(.error, "the log file cannot be opened anew (\(error)); the old one is kept")
        } else {
            log.line(.info, "the log was opened anew")
        }
        guard let file = settings.tenantsFile else { return }
        do throws(Settings.Faults) {
            handler.secrets = try Settings.readTenants(file)
            log.line(.info, "the tenants were read anew")
        } catch {
            log.line(.error, "the tenants are kept as they were: \(error.lines.joined(separator: "; "))")
        }
    }
}
