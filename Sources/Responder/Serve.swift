import FastCGI
import Glibc
import System

/// Why the program cannot serve: a line for each cause.
package struct StartFailure: Error {
    package let lines: [String]
}

/// Serves until a stop signal. Returns false if it ended because it could no longer do its work.
package func serve() throws(StartFailure) -> Bool {
    // Before the settings: a HUP while a long tenants file is read must not end the process.
    let signals: Signals
    do throws(SystemError) {
        signals = try Signals(Responder.signals)
    } catch {
        throw StartFailure(lines: ["cannot start: \(error)"])
    }
    let settings: Settings
    do throws(SettingsFault) {
        settings = try readSettings()
    } catch {
        throw StartFailure(lines: error.lines)
    }
    initializeLibrary()
    let listener = try listener(for: settings)
    let sink = try sink(for: settings.logFile)
    do throws(SystemError) {
        raiseDescriptorLimit()
        let log = Log(level: settings.logLevel, format: settings.logFormat, sink: sink)
        var responder = try Responder(settings: settings, listener: listener, signals: signals, log: log)
        responder.start()
        responder.run()
        return !responder.hasFailed
    } catch {
        throw StartFailure(lines: ["cannot start: \(error)"])
    }
}

/// Checks the settings as `serve` does. Returns warnings, a line each.
package func checkSettings() throws(SettingsFault) -> [String] {
    let settings = try readSettings()
    return settings.unknownVariables.map { "unknown setting \($0) ignored" } + settings.secretWarnings
        + settings.missingHeaderLines.map { "the tenants file names a header that nginx's pass.conf may lack: \($0)" }
}

private func readSettings() throws(SettingsFault) -> Settings { try Settings(ProcessEnvironment.all) }

private func listener(for settings: Settings) throws(StartFailure) -> Listener {
    let number = try ListeningDescriptor.number(in: ProcessEnvironment.all, processID: getpid())
    do throws(SystemError) {
        return try Listener(Descriptor(owning: number), webServers: settings.webServers)
    } catch {
        throw StartFailure(lines: [
            "descriptor \(number) is not a listening socket (\(error)): start this with spawn-fcgi, or from a systemd socket unit"
        ])
    }
}

private func sink(for path: String?) throws(StartFailure) -> LogSink {
    guard let path else { return LogSink(standardError: 2) }
    do throws(SystemError) {
        return try LogSink(path: path)
    } catch {
        throw StartFailure(lines: ["SERVICEDESK_LOG_FILE \(path) cannot be opened (\(error))"])
    }
}
