import Glibc

/// A system call that failed, and its error.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    package let call: StaticString
    package let code: Int32

    package init(_ call: StaticString, _ code: Int32 = errno) {
        self.call = call
        self.code = code
    }

    package static func == (a: SystemError, b: SystemError) -> Bool {
        a.code == b.code && a.call.description == b.call.description
    }

    /// `connect: Connection refused`
    package var description: String { "\(call): \(SystemError.text(code))" }

    /// The C library's text for an error number.
    package static func text(_ code: Int32) -> String {
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}

/// Runs a system call again for as long as a signal interrupts it, and returns its result, or -1 with `errno` set.
///
/// `EBADF` and `EFAULT` are bugs in this program and trap: going on could use another owner's descriptor.
@discardableResult
package func retryingInterrupts<Result: BinaryInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = errno
        if code == EINTR { continue }
        precondition(code != EBADF && code != EFAULT, "a system call was given a descriptor or buffer it may not use")
        return result
    }
}
