import Glibc
import System
import Testing

struct SystemErrorTests {
    @Test func `the description of an error names the call and the cause`() {
        #expect(SystemError("connect", ECONNREFUSED).description == "connect: Connection refused")
        #expect("\(SystemError("open", ENOENT))" == "open: No such file or directory")
        #expect(SystemError.text(EAGAIN) == "Resource temporarily unavailable")
        #expect(!SystemError.text(123_456).isEmpty)
    }

    @Test func `an error takes its code from errno`() {
        errno = EXDEV
        #expect(SystemError("rename").code == EXDEV)
    }

    @Test func `a call interrupted by a signal is repeated`() {
        var calls = 0
        let result = retryingInterrupts { () -> Int in
            calls += 1
            errno = EINTR
            return calls < 4 ? -1 : 7
        }
        #expect(result == 7 && calls == 4)
    }

    @Test func `a call that fails otherwise is not repeated`() {
        var calls = 0
        let result = retryingInterrupts { () -> Int32 in
            calls += 1
            errno = EAGAIN
            return -1
        }
        let code = errno
        #expect(result == -1 && calls == 1 && code == EAGAIN)
    }

    @Test(arguments: [EBADF, EFAULT])
    func `EBADF and EFAULT trap`(code: Int32) async {
        await #expect(processExitsWith: .failure) { [code] in
            _ = retryingInterrupts { () -> Int in
                errno = code
                return -1
            }
        }
    }
}
