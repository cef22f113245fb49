import EventLoop
import FastCGI
import Glibc
import System

/// EX_CONFIG of sysexits.h.
let configurationFault: Int32 = 78
let version = "1.0.0"

func complain(_ line: String) {
    guard let standardError = try? Descriptor.duplicate(2) else { return }
    _ = standardError.write(Array("servicedesk-responder: \(line)\n".utf8).span)
}

func readSettings() throws(Settings.Faults) -> Settings { try Settings(ProcessEnvironment.all) }

func sink(for path: String?) throws(Settings.Faults) -> LogSink {
    guard let path else { return LogSink(standardError: 2) }
    do throws(SystemError) {
        return try LogSink(path: path)
    } catch {
        throw Settings.Faults(lines: ["SERVICEDESK_LOG_FILE \(path) cannot be opened (\(error))"])
    }
}

func listener(for settings: Settings) throws(Settings.Faults) -> Listener {
    let number = try ListeningDescriptor.number(in: ProcessEnvironment.all, processID: getpid())
    do throws(SystemError) {
        return try Listener(Descriptor(owning: number), webServers: settings.webServers)
    } catch {
        throw Settings.Faults(lines: [
            "descriptor \(number) is not a listening socket (\(error)): start this with spawn-fcgi, or from a systemd socket unit"
        ])
    }
}

/// Keeps a supervisor that restarts its child at once from doing so in a tight loop.
func pauseBeforeRestart() { sleep(1) }

/// Serves until a stop signal. Returns false if it ended because it could no longer do its work.
func serve() throws(Settings.Faults) -> Bool {
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

occupyStandardDescriptors()
ignoreFileSizeSignal()
switch CommandLine.arguments.dropFirst() {
case []:
    do throws(Settings.Faults) {
        let hasStopped = try serve()
        if !hasStopped { pauseBeforeRestart() }
        // Without the handlers of exit(3): libcrypto's would take from a thread that still reads tenants what it uses.
        _exit(hasStopped ? 0 : 1)
    } catch {
        for line in error.lines { complain(line) }
        pauseBeforeRestart()
        exit(configurationFault)
    }
case ["--check"]:
    do throws(Settings.Faults) {
        for name in try readSettings().unknownVariables { complain("unknown setting \(name) ignored") }
    } catch {
        for line in error.lines { complain(line) }
        exit(configurationFault)
    }
case ["--version"]:
    print("servicedesk-responder \(version)")
default:
    complain("usage: servicedesk-responder [--check | --version]; settings come from the environment, see the README")
    exit(64)
}
