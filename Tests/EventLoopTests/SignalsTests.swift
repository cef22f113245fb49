import EventLoop
import Glibc
import System
import Testing

struct SignalsTests {
    @Test func `each signal is read once from the descriptor`() async {
        // In a process of its own: a signal mask is a thread's, and tests share threads.
        await #expect(processExitsWith: .success) {
            let signals = try Signals([SIGUSR1, SIGUSR2])
            let loop = try EventLoop()
            try loop.watch(signals.descriptor.number, for: .readable, as: Token(.resolver))
            #expect(signals.next() == nil)
            pthread_kill(pthread_self(), SIGUSR2)
            #expect(loop.turn().map(\.token) == [Token(.resolver)])
            #expect(signals.next() == SIGUSR2)
            #expect(signals.next() == nil)
            pthread_kill(pthread_self(), SIGUSR1)
            #expect(signals.next() == SIGUSR1)
        }
    }
}
