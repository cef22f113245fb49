import CLinux
import Glibc

/// Signals taken as reads from a descriptor (signalfd(2)) instead of as interruptions.
package struct Signals: ~Copyable {
    package let descriptor: Descriptor

    /// Blocks the signals for this thread and all that it will start, and takes them from here on by `next()`.
    package init(_ signals: [Int32]) throws(SystemError) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        let number = unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard number >= 0 else { throw SystemError("signalfd") }
        descriptor = Descriptor(owning: number)
    }

    /// The next signal that has come, or nil.
    package func next() -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        let result = retryingInterrupts { unsafe read(descriptor.number, &info, size) }
        return result == size ? Int32(info.ssi_signo) : nil
    }
}
