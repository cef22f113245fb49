import EventLoop
import Glibc
import System
import Testing

struct ResolverTests {
    /// A resolver in a class, since the macros cannot take a value that cannot be copied.
    private final class LookUp {
        private var resolver: Resolver

        init() throws { resolver = try Resolver() }

        var isBusy: Bool { resolver.isBusy }
        func start(_ host: String) -> Bool { resolver.start(host: host, port: 80) }
        func finish() -> [SocketAddress]? { resolver.finish() }

        /// How many addresses the look-up finds.
        func count() throws -> Int? {
            let loop = try EventLoop()
            try loop.watch(resolver.number, for: .readable, as: Token(.listener))
            _ = loop.turn(within: .seconds(30))
            return finish()?.count
        }
    }

    @Test func `a finished look-up makes the descriptor readable, and another can follow`() throws {
        let lookUp = try LookUp()
        #expect(!lookUp.isBusy && lookUp.finish() == nil)
        #expect(lookUp.start("127.0.0.1"))
        #expect(try lookUp.count() == 1)
        #expect(!lookUp.isBusy && lookUp.finish() == nil)
        // And again with the same one.
        #expect(lookUp.start("::1"))
        #expect(try lookUp.count() == 1)
    }

    @Test func `a second look-up is refused while one is running`() throws {
        let lookUp = try LookUp()
        #expect(lookUp.start("127.0.0.1"))
        #expect(lookUp.isBusy)
        #expect(!lookUp.start("127.0.0.1"))
        #expect(try lookUp.count() == 1)
    }

    @Test func `an invalid host name has no address`() throws {
        let lookUp = try LookUp()
        // A label may not be empty: refused before any server is asked.
        #expect(lookUp.start("a..b"))
        #expect(try lookUp.count() == 0)
    }

    @Test func `a resolver released during a look-up raises no SIGPIPE`() async {
        // In a process of its own, in which SIGPIPE is not ignored.
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_DFL)
            for _ in 0..<50 {
                let lookUp = try LookUp()
                #expect(lookUp.start("127.0.0.1"))
            }
            usleep(100_000)
        }
    }
}
