import CLinux
import Glibc

/// Signals that are read from a descriptor (signalfd(2)) instead of interrupting the process.
package struct Signals: ~Copyable {
    package let descriptor: Descriptor

    /// Blocks the signals in this thread and in those that it starts. From now on `next()` returns them.
    package init(_ signals: [Int32]) throws(SystemError) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        let number = unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard number >= 0 else { throw SystemError("signalfd") }
        descriptor = Descriptor(owning: number)
    }

    /// The next signal that has arrived, or nil.
    package func next() -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        let result = retryingInterrupts { unsafe read(descriptor.number, &info, size) }
        return result == size ? Int32(info.ssi_signo) : nil
    }
}
