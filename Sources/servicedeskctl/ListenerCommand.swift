import ArgumentParser
import EventLoop

/// `servicedeskctl listener SOCKET`
struct Listener: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the id of the process that listens on a unix socket; the exit status is 1 where none does.",
        discussion: "It is the process that called listen(2): spawn-fcgi, and what it has become since.")

    @Argument(help: "The socket's path.") var socket: String

    func run() throws {
        guard let address = SocketAddress(unixPath: socket) else {
            throw ValidationError("the path of a socket has 1 to 107 bytes")
        }
        let process: Int32
        do throws(SystemError) {
            let connection = try address.connect()
            process = try connection.peerProcess()
        } catch {
            StandardStreams.complain("nothing listens on \(socket) (\(error))")
            throw ExitCode(1)
        }
        try StandardStreams.write(number: Int(process))
    }
}
