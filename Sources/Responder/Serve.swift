import FastCGI
import Glibc
import System

/// Serves until a stop signal. Returns false if it ended because it could no longer do its work.
package func serve() throws(Settings.Faults) -> Bool {
    let settings = try readSettings()
    initializeLibrary()
    let listener = try listener(for: settings)
    let sink = try sink(for: settings.logFile)
    do throws(SystemError) {
        let signals = try Signals(Responder.signals)
        raiseDescriptorLimit()
        let log = Log(level: settings.logLevel, format: settings.logFormat, sink: sink)
        var responder = try Responder(settings: settings, listener: listener, signals: signals, log: log)
        responder.start()
        responder.run()
        return !responder.hasFailed
    } catch {
        throw Settings.Faults(lines: ["cannot start: \(error)"])
    }
}

/// Checks the settings as `serve` does. Returns the unknown variables that have our prefix.
package func checkSettings() throws(Settings.Faults) -> [String] { try readSettings().unknownVariables }

private func readSettings() throws(Settings.Faults) -> Settings { try Settings(ProcessEnvironment.all) }

private func listener(for settings: Settings) throws(Settings.Faults) -> Listener {
    let number = try ListeningDescriptor.number(in: ProcessEnvironment.all, processID: getpid())
    do throws(SystemError) {
        return try Listener(Descriptor(owning: number), webServers: settings.webServers)
    } catch {
        throw Settings.Faults(lines: [
            "descriptor \(number) is not a listening socket (\(error)): start this with spawn-fcgi, or from a systemd socket unit"
        ])
    }
}

private func sink(for path: String?) throws(Settings.Faults) -> LogSink {
    guard let path else { return LogSink(standardError: 2) }
    do throws(SystemError) {
        return try LogSink(path: path)
    } catch {
        throw Settings.Faults(lines: ["SERVICEDESK_LOG_FILE \(path) cannot be opened (\(error))"])
    }
}
