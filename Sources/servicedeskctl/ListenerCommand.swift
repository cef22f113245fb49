import ArgumentParser
import Glibc
import System

/// `servicedeskctl listener SOCKET`
struct Listener: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the id of the process that listens on a unix socket; exits with status 1 if none does.",
        discussion: "It is the process that called listen(2): spawn-fcgi, which then becomes multiwatch.")

    @Argument(help: "The socket's path.", completion: .file()) var socket: String

    func run() throws {
        let process: Int32
        guard let address = SocketAddress(unixPath: socket) else {
            throw ValidationError("the path of a socket has 1 to \(SocketAddress.pathLimit) bytes")
        }
        do throws(SystemError) {
            process = try Listener.process(at: address)
        } catch {
            StandardStreams.complain("nothing listens on \(socket) (\(error))")
            throw ExitCode(1)
        }
        try StandardStreams.write(number: Int(process))
    }

    /// Tries for two seconds while the listener's backlog is full.
    private static func process(at address: SocketAddress) throws(SystemError) -> Int32 {
        let end = Instant.now + .seconds(2)
        while true {
            do throws(SystemError) {
                let connection = try address.connect()
                return try connection.peerProcess()
            } catch {
                guard error.code == EAGAIN, .now < end else { throw error }
                usleep(20_000)
            }
        }
    }
}
