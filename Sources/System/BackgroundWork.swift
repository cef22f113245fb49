import Glibc

/// Runs work that blocks or takes long on a thread of its own, one piece at a time. When it ends, `number` becomes
/// readable.
package struct BackgroundWork<Value: Sendable>: ~Copyable {
    private let reading: Descriptor
    private let writing: Descriptor
    package private(set) var isBusy = false

    package init() throws(SystemError) {
        let (reading, writing) = try makeSocketPair()
        self.reading = Descriptor(owning: reading)
        self.writing = Descriptor(owning: writing)
    }

    /// Releases a result that was not taken.
    deinit {
        // From here on the thread's send fails, so that no result can arrive between the last read and the close.
        shutdown(reading.number, Int32(SHUT_RD))
        var pointer: UnsafeMutableRawPointer?
        let size = MemoryLayout<UInt>.size
        while unsafe read(reading.number, &pointer, size) == size, let unread = unsafe pointer {
            unsafe Unmanaged<Task>.fromOpaque(unread).release()
        }
    }

    package var number: Int32 { reading.number }

    private final class Task: ThreadTask {
        let work: @Sendable () -> Value
        var value: Value?

        init(work: @escaping @Sendable () -> Value, answer: Int32) {
            self.work = work
            super.init(answer: answer)
        }

        override func run() { value = work() }
    }

    /// Starts a piece of work. Returns false if one is running, or no thread or descriptor is available.
    package mutating func start(_ work: @escaping @Sendable () -> Value) -> Bool {
        guard !isBusy else { return false }
        // The answer's descriptor is the thread's own, so that it may outlive us.
        let answer = fcntl(writing.number, F_DUPFD_CLOEXEC, 0)
        guard answer >= 0 else { return false }
        isBusy = ThreadTask.start(Task(work: work, answer: answer))
        return isBusy
    }

    /// Waits until the work has ended. Returns false at the deadline.
    package func wait(until deadline: Instant) -> Bool { reading.wait(for: .readable, until: deadline) }

    /// The result of the work; nil if it has not ended.
    package mutating func finish() -> Value? {
        var pointer: UnsafeMutableRawPointer?
        let size = MemoryLayout<UInt>.size
        guard unsafe read(reading.number, &pointer, size) == size, let pointer = unsafe pointer else { return nil }
        isBusy = false
        return unsafe Unmanaged<Task>.fromOpaque(pointer).takeRetainedValue().value
    }
}

/// The work of a thread, and the descriptor to which it sends its own address at the end.
private class ThreadTask {
    private let answer: Int32

    init(answer: Int32) { self.answer = answer }

    deinit { close(answer) }

    func run() {}

    /// Returns whether the thread was started.
    static func start(_ task: ThreadTask) -> Bool {
        let argument = unsafe Unmanaged.passRetained(task).toOpaque()
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                let task = unsafe Unmanaged<ThreadTask>.fromOpaque(argument!).takeUnretainedValue()
                task.run()
                var pointer = unsafe argument
                // The reader of the address takes over the task. If the reader has gone, send fails (without
                // SIGPIPE) and the task is released here.
                let size = MemoryLayout<UInt>.size
                if unsafe send(task.answer, &pointer, size, Int32(MSG_NOSIGNAL)) != size {
                    unsafe Unmanaged<ThreadTask>.fromOpaque(argument!).release()
                }
                return nil
            }, argument)
        guard result == 0 else {
            unsafe Unmanaged<ThreadTask>.fromOpaque(argument).release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
