import EventLoop
import FastCGI
import Glibc

/// EX_CONFIG of sysexits.h.
let configurationFault: Int32 = 78
let version = "1.0.0"

func complain(_ line: String) {
    guard let standardError = try? Descriptor.duplicate(2) else { return }
    _ = standardError.write(Array("servicedesk-responder: \(line)\n".utf8).span)
}

func readSettings() -> Settings {
    do throws(Settings.Faults) {
        return try Settings(ProcessEnvironment.all)
    } catch {
        for line in error.lines { complain(line) }
        exit(configurationFault)
    }
}

func sink(for path: String?) throws(SystemError) -> LogSink {
    if let path { return try LogSink(path: path) }
    return LogSink(standardError: 2)
}

func serve(_ settings: Settings) throws(SystemError) {
    initializeLibrary()
    let signals = try Signals(Responder.signals)
    raiseDescriptorLimit()
    useBatchScheduling()
    let log = Log(level: settings.logLevel, format: settings.logFormat, sink: try sink(for: settings.logFile))
    let listener = try Listener(Descriptor(owning: 0))
    var responder = try Responder(settings: settings, listener: listener, signals: signals, log: log)
    responder.start()
    responder.run()
}

switch CommandLine.arguments.dropFirst() {
case []:
    let settings = readSettings()
    do throws(SystemError) {
        try serve(settings)
    } catch {
        complain("cannot start: \(error)")
        exit(configurationFault)
    }
case ["--check"]:
    let settings = readSettings()
    for name in settings.unknownVariables { complain("\(name) is no setting, and is ignored") }
case ["--version"]:
    print("servicedesk-responder \(version)")
default:
    complain("usage: servicedesk-responder [--check | --version]; settings come from the environment, see the README")
    exit(64)
}
