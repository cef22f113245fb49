/// Where the listening socket is: descriptor 0, as spawn-fcgi and `StandardInput=socket` pass it, or descriptor 3, as
/// systemd passes the socket of a socket unit (sd_listen_fds(3)).
enum ListeningDescriptor {
    private static let first: Int32 = 3

    static func number(in environment: [String: [UInt8]], processID: Int32) throws(StartFailure) -> Int32 {
        func number(_ name: String) -> Int32? {
            environment[name].flatMap { Int32(String(decoding: $0, as: UTF8.self)) }
        }
        // Meant for another process, which has passed its environment on.
        guard number("LISTEN_PID") == processID else { return 0 }
        guard number("LISTEN_FDS") == 1 else {
            throw StartFailure(lines: ["LISTEN_FDS is not 1: expected a socket unit with exactly one socket"])
        }
        return first
    }
}
