import Delivery
import System

/// Knows what happened, and says where that is not what was promised.
final class Oracle {
    /// What is known of a push, by its number.
    private struct Record {
        let delivery: Int?
        let time: Instant
        var result: PushResult?
        var executions = 0
        var isConfirmed = false
        /// Nodes that sent it on since a connection was lost under it, or could not be made while it waited.
        var redirections = 0
        /// It was sent on by MOVED, and has not arrived anywhere since.
        var waitsForOwner = false
    }

    private let world: World
    private let policy: DeliveryPolicy
    private var records: [Record] = []
    private(set) var violations: [String] = []
    /// When servers answered an error.
    private var errors: [Instant] = []
    /// When connections were lost.
    var losses: () -> [Instant] = { [] }
    private(set) var results: [String: Int] = [:]

    /// From the time at which something is due to the turn in which it is done.
    private static let slack = Nanoseconds.milliseconds(2)

    init(_ world: World, policy: DeliveryPolicy) {
        self.world = world
        self.policy = policy
    }

    private func expect(_ condition: Bool, _ text: @autoclosure () -> String) {
        guard !condition else { return }
        world.note("VIOLATION: \(text())")
        violations.append(text())
    }

    // MARK: What happens

    /// The number of the next push.
    var nextNumber: Int { records.count }

    func took(delivery: Int?) {
        records.append(Record(delivery: delivery, time: world.now))
    }

    func arrived(_ job: Int, after last: Int) {
        records[job].waitsForOwner = false
        guard policy.maxConnections == 1, job < last else { return }
        // One that was tried again after an error, or more than once, has a delay of its own. What happened just before it
        // was taken the pool may have learnt after that.
        let since = records[job].time
        let isRecent = { (time: Instant) in time + .seconds(1) > since }
        let isDelayed = errors.contains(where: isRecent) || losses().count(where: isRecent) > 1
        expect(isDelayed, "order: \(job) arrived after \(last)")
    }

    func executed(_ job: Int, at server: SimulatedRedis) {
        world.note("\(server.name) executes \(job)")
        records[job].executions += 1
        expect(
            records[job].delivery != nil || records[job].executions == 1,
            "\(job) has no name and was executed \(records[job].executions) times")
    }

    func answeredError() { errors.append(world.now) }

    func redirected(_ job: Int, isReadable: Bool, isMoved: Bool) {
        records[job].redirections += isReadable ? 1 : 2
        records[job].waitsForOwner = isMoved
    }

    /// With room for one connection, everything that is not in flight waited for this one.
    func connectFailed() {
        guard policy.maxConnections == 1 else { return }
        for job in records.indices where records[job].waitsForOwner { records[job].redirections = 0 }
    }

    /// A connection ended with this push on it and no reply sent.
    func lost(_ job: Int) { records[job].redirections = 0 }

    func confirmed(_ jobs: [Int]) { for job in jobs { records[job].isConfirmed = true } }

    func completed(_ completion: Completion) {
        let number = Int(completion.waiter)
        world.note("\(number): \(completion.result)")
        expect(records[number].result == nil, "\(number) completed twice")
        records[number].result = completion.result
        let late = records[number].time + policy.pushDeadline + Oracle.slack
        expect(world.now <= late, "\(number) completed after its deadline")
        switch completion.result {
        case .queued:
            results["queued", default: 0] += 1
            expect(records[number].executions > 0, "\(number) is called queued and is in no list")
            expectConfirmed(number)
        case .existing(let value):
            results["existing", default: 0] += 1
            expect(records[number].delivery != nil, "\(number) has no name, and its key exists")
            let first = Job.number(of: value)
            expect(
                first < records.count && records[first].delivery == records[number].delivery
                    && records[first].executions > 0, "\(number) exists as \(first), which is in no list")
            expectConfirmed(number)
        case .failed(let failure):
            results["\(failure)", default: 0] += 1
            guard case .refused(.elsewhere, _) = failure else { break }
            expect(records[number].redirections >= 2, "\(number) was sent on once and then refused")
        }
    }

    private func expectConfirmed(_ number: Int) {
        guard policy.waitReplicas > 0 else { return }
        expect(records[number].isConfirmed, "\(number) succeeded without its replicas")
    }

    // MARK: The end

    var unfinished: [Int] { records.indices.filter { records[$0].result == nil } }

    func close(_ servers: [SimulatedRedis]) {
        for (number, record) in records.enumerated() {
            expect(record.result != nil, "\(number) never completed")
            if case .failed(let failure)? = record.result, !failure.mayBeQueued {
                expect(record.executions == 0, "\(number) is in a list and was called \(failure)")
            }
        }
        for server in servers {
            var names = Set<Int>()
            for job in server.list {
                guard let delivery = records[job].delivery else { continue }
                expect(names.insert(delivery).inserted, "delivery \(delivery) is twice in the list of \(server.name)")
            }
        }
    }

    func expectZero(_ count: Int, _ what: String) { expect(count == 0, "\(count) \(what) at the end") }
    func fail(_ text: String) { expect(false, text) }
}
