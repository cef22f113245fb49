import Glibc
import RESP
import System
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// A redis-server of its own, on a unix socket in a temporary directory, that ends with its owner.
final class RealRedis {
    static let isInstalled = (ProcessEnvironment.all["PATH"] ?? []).text.split(separator: ":").contains { directory in
        unsafe access("\(directory)/redis-server", X_OK) == 0
    }

    private let directory: TemporaryDirectory
    private let process: pid_t
    let client: Client
    var url: String { "unix://\(directory.path)/s" }

    init() throws {
        directory = TemporaryDirectory()
        let arguments = [
            "redis-server", "--port", "0", "--unixsocket", "\(directory.path)/s", "--dir", directory.path, "--save", "",
            "--daemonize", "no",
        ]
        process = try RealRedis.spawn(arguments)
        let address = try Address("unix://\(directory.path)/s")
        let limit = Instant.now + .seconds(10)
        while true {
            if let client = try? Client(address) {
                self.client = client
                return
            }
            guard Instant.now < limit else {
                RealRedis.end(process)
                throw TookTooLong()
            }
            usleep(5000)
        }
    }

    deinit { RealRedis.end(process) }

    private static func spawn(_ arguments: [String]) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for number in [Int32(0), 1, 2] {
            unsafe posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
        }
        let pointers = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
        var process: pid_t = 0
        try #require(unsafe posix_spawnp(&process, "redis-server", &actions, nil, pointers, environ) == 0)
        return process
    }

    private static func end(_ process: pid_t) {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    /// Calls a command of words with spaces between them.
    @discardableResult
    func call(_ words: String) throws -> String {
        switch try client.call(words.split(separator: " ").map { utf8(String($0)) }) {
        case .simple(let text): return text.text
        case .bulk(let text): return text?.text ?? "nothing"
        case .integer(let number): return "\(number)"
        case let reply: return "\(reply)"
        }
    }

    /// A number of INFO.
    func info(_ name: String) throws -> Int {
        let line = try call("INFO").split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(name):") }
        return try #require(line.flatMap { Int($0.dropFirst(name.count + 1)) })
    }
}
