import Glibc
import Product
import Responder
import System

func complain(_ line: String) {
    guard let standardError = try? Descriptor.duplicate(2) else { return }
    _ = standardError.write(Array("servicedesk-responder: \(line)\n".utf8).span)
}

/// Keeps a supervisor that restarts its child at once from doing so in a tight loop.
func pauseBeforeRestart() { sleep(1) }

occupyStandardDescriptors()
ignoreFileSizeSignal()
switch CommandLine.arguments.dropFirst() {
case []:
    do throws(StartFailure) {
        let hasStopped = try serve()
        if !hasStopped { pauseBeforeRestart() }
        // Without the handlers of exit(3): libcrypto's would take from a thread that still reads tenants what it uses.
        _exit(hasStopped ? 0 : 1)
    } catch {
        for line in error.lines { complain(line) }
        pauseBeforeRestart()
        exit(EX_CONFIG)
    }
case ["--check"]:
    do throws(SettingsFault) {
        for warning in try checkSettings() { complain(warning) }
    } catch {
        for line in error.lines { complain(line) }
        exit(EX_CONFIG)
    }
case ["--version"]:
    print("servicedesk-responder \(version)")
default:
    complain("usage: servicedesk-responder [--check | --version]; settings come from the environment, see the README")
    exit(EX_USAGE)
}
