import Glibc

/// Looks host names up on a thread of its own: getaddrinfo(3) blocks, and knows no timeout.
///
/// One look-up at a time; its answer makes the resolver's descriptor readable.
package struct Resolver: ~Copyable {
    /// Finds the addresses of a host, and may block for as long as it likes.
    package typealias LookUp = @Sendable (_ host: String, _ port: UInt16) -> [SocketAddress]

    /// By getaddrinfo(3).
    package static let system: LookUp = { host, port in
        SocketAddress.resolve(host: host, port: port, isNumeric: false)
    }

    private let lookUp: LookUp
    private let reading: Descriptor
    private let writing: Descriptor
    package private(set) var isBusy = false

    package init(lookUp: @escaping LookUp = system) throws(SystemError) {
        self.lookUp = lookUp
        let (reading, writing) = try makeSocketPair()
        self.reading = Descriptor(owning: reading)
        self.writing = Descriptor(owning: writing)
    }

    package var number: Int32 { reading.number }

    private final class Run {
        let find: @Sendable () -> [SocketAddress]
        let answer: Int32
        var addresses: [SocketAddress] = []

        init(answer: Int32, find: @escaping @Sendable () -> [SocketAddress]) {
            self.answer = answer
            self.find = find
        }
    }

    /// Starts a look-up. Returns false where one is under way, or no thread or descriptor can be had.
    package mutating func start(host: String, port: UInt16) -> Bool {
        guard !isBusy else { return false }
        // The answer's descriptor is the thread's own, so that it may outlive the resolver.
        let answer = fcntl(writing.number, F_DUPFD_CLOEXEC, 0)
        guard answer >= 0 else { return false }
        let lookUp = lookUp
        let run = Run(answer: answer) { lookUp(host, port) }
        let argument = unsafe Unmanaged.passRetained(run).toOpaque()
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                let run = unsafe Unmanaged<Run>.fromOpaque(argument!).takeUnretainedValue()
                run.addresses = run.find()
                var pointer = unsafe argument
                let answer = run.answer
                // From here on the look-up belongs to whoever reads its address.
                let size = MemoryLayout<UInt>.size
                // To a resolver that has gone meanwhile: an error, not SIGPIPE.
                if unsafe send(answer, &pointer, size, Int32(MSG_NOSIGNAL)) != size {
                    unsafe Unmanaged<Run>.fromOpaque(argument!).release()
                }
                close(answer)
                return nil
            }, argument)
        guard result == 0 else {
            close(answer)
            unsafe Unmanaged<Run>.fromOpaque(argument).release()
            return false
        }
        pthread_detach(thread)
        isBusy = true
        return true
    }

    /// The addresses that a look-up ended with, empty where it failed; nil where it has not ended.
    package mutating func finish() -> [SocketAddress]? {
        var pointer: UnsafeMutableRawPointer?
        let size = MemoryLayout<UInt>.size
        guard unsafe read(reading.number, &pointer, size) == size, let pointer = unsafe pointer else { return nil }
        isBusy = false
        return unsafe Unmanaged<Run>.fromOpaque(pointer).takeRetainedValue().addresses
    }
}
