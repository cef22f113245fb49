import CFastCGI
import Glibc

/// Initializes libfcgi. Call it once, before any thread starts and before signals are set up: libfcgi installs handlers
/// of its own.
package func initializeLibrary() {
    precondition(FCGX_Init() == 0, "libfcgi cannot be initialized")
    for signal in [SIGPIPE, SIGUSR1, SIGTERM] { _ = Glibc.signal(signal, SIG_DFL) }
    _ = Glibc.signal(SIGPIPE, SIG_IGN)
}
