import EventLoop
import Glibc
import System
import TestSupport
import Testing

struct AddressTests {
    @Test func `the path of a unix socket has 1 to 107 bytes`() {
        #expect(SocketAddress(unixPath: "") == nil)
        #expect(SocketAddress(unixPath: "/" + String(repeating: "a", count: 106)) != nil)
        #expect(SocketAddress(unixPath: "/" + String(repeating: "a", count: 107)) == nil)
        #expect(SocketAddress(unixPath: "/" + String(repeating: "é", count: 53)) != nil)
        #expect(SocketAddress(unixPath: "/" + String(repeating: "é", count: 54)) == nil)
    }

    @Test func `connecting to a missing unix socket fails with an error that names the call`() throws {
        let address = try #require(SocketAddress(unixPath: "/nonexistent/socket"))
        let error = #expect(throws: SystemError.self) { _ = try address.connect() }
        #expect(error?.code == ENOENT && error?.description == "connect: No such file or directory")
    }

    @Test func `with isNumeric only a numeric host resolves`() {
        #expect(SocketAddress.resolve(host: "127.0.0.1", port: 1, isNumeric: true).count == 1)
        #expect(SocketAddress.resolve(host: "::1", port: 1, isNumeric: true).count == 1)
        for host in ["localhost", "127.0.0.1.example", "", "300.1.1.1", "[::1]", "127.0.0.1 "] {
            #expect(SocketAddress.resolve(host: host, port: 1, isNumeric: true).isEmpty, "\(host)")
        }
    }

    @Test func `a socket that connects in the background becomes writable, and does not block`() throws {
        let listener = ListeningSocket.loopback()
        defer { close(listener.number) }
        let address = try #require(SocketAddress.resolve(host: "127.0.0.1", port: listener.port, isNumeric: true).first)
        let loop = try EventLoop()
        let connection = try address.connect()
        try loop.watch(connection.number, for: .writable, as: Token(.listener))
        #expect(loop.turn().map(\.token) == [Token(.listener)])
        #expect(connection.pendingError == 0)
        #expect(connection.send([1].span) == .bytes(1))
        #expect(
            fcntl(connection.number, F_GETFL) & O_NONBLOCK != 0 && fcntl(connection.number, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func `a background connection that is refused reports ECONNREFUSED`() throws {
        // Bound and closed again, so that nothing listens there.
        let listening = ListeningSocket.loopback()
        close(listening.number)
        let port = listening.port
        let address = try #require(SocketAddress.resolve(host: "127.0.0.1", port: port, isNumeric: true).first)
        let loop = try EventLoop()
        let connection = try address.connect()
        try loop.watch(connection.number, for: [.writable, .closed], as: Token(.listener))
        #expect(loop.turn().count == 1)
        #expect(connection.pendingError == ECONNREFUSED)
    }
}
