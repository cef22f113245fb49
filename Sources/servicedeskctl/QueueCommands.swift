import ArgumentParser
import Bytes
import EventLoop
import Redis

/// Which queue. The URL comes from the environment: it may hold a password.
struct QueueOptions: ParsableArguments {
    @Option(help: "The queue's key (default: SERVICEDESK_QUEUE_KEY, or enhancement:queue).") var key: String?

    func service() throws -> QueueService {
        let environment = ProcessEnvironment.all
        let url = environment["SERVICEDESK_REDIS_URL"] ?? "redis://127.0.0.1:6379/0"
        let key = key ?? environment["SERVICEDESK_QUEUE_KEY"] ?? "enhancement:queue"
        let address: Address
        do throws(Address.Fault) {
            address = try Address(url)
        } catch {
            throw ValidationError("SERVICEDESK_REDIS_URL \(error)")
        }
        return QueueService(try Client(address), key: key)
    }
}

private func printLine(_ bytes: [UInt8]) { print(String(decoding: bytes, as: UTF8.self)) }

struct Depth: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints how many jobs are in the queue.")
    @OptionGroup var queue: QueueOptions

    func run() throws { print(try queue.service().depth()) }
}

struct Peek: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints the oldest jobs, and leaves them in the queue.")
    @OptionGroup var queue: QueueOptions
    @Argument(help: "How many, 1 to 1,000.") var count = 1

    func run() throws { for job in try queue.service().peek(count) { printLine(job) } }
}

struct Pop: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes the oldest job out of the queue and prints it; the exit status is 1 where there is none.")
    @OptionGroup var queue: QueueOptions

    func run() throws {
        guard let job = try queue.service().pop() else { throw ExitCode(1) }
        printLine(job)
    }
}

struct Push: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts a job from standard input into the queue as it is, and prints how long the queue is then.")
    @OptionGroup var queue: QueueOptions

    func run() throws { print(try queue.service().push(try readFile("/dev/stdin", limit: 1_048_576))) }
}
