import FastCGI
import Glibc
import Redis
import System
import Webhook

/// What signals ask for.
extension Responder {
    /// TERM, INT and USR1 stop; HUP reopens the log and reads the secrets again.
    static let signals = [SIGTERM, SIGINT, SIGUSR1, SIGHUP]

    mutating func takeSignals() {
        while let signal = signals.next() {
            if signal == SIGHUP { reload() } else { stop() }
        }
    }

    private mutating func reload() {
        if let path = settings.logFile {
            if let error = log.reopen() {
                log.line(.error, "cannot reopen SERVICEDESK_LOG_FILE \(path) (\(error)); still writing to the old file")
            } else {
                log.line(.info, "log reopened")
            }
        }
        reloadSecrets()
    }
}
