import Glibc
import System

/// What the command line asks for.
struct Options {
    var schedules: UInt64 = 20_000
    var seed: UInt64 = 1
    var isTraced = false
    var printsResults = false

    init(_ arguments: [String]) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            switch option {
            case "--schedules": schedules = Options.number(&rest)
            case "--seed": seed = Options.number(&rest)
            case "--trace": isTraced = true
            case "--results": printsResults = true
            default: Options.fail()
            }
        }
    }

    private static func number(_ rest: inout ArraySlice<String>) -> UInt64 {
        guard let text = rest.popFirst(), let number = UInt64(text) else { fail() }
        return number
    }

    private static func fail() -> Never {
        print("usage: simulate [--schedules N] [--seed N] [--trace | --results]")
        exit(64)
    }
}

/// Plays one schedule with a trace, and prints it.
func show(_ seed: UInt64, _ tls: SimulatedTLS) {
    let schedule = Schedule(seed: seed, tls, isTraced: true)
    let violations = schedule.play()
    for line in schedule.trace { print(line) }
    for violation in violations { print("seed \(seed): \(violation)") }
}

let tls = SimulatedTLS()
let options = Options(Array(CommandLine.arguments.dropFirst()))
if options.isTraced {
    show(options.seed, tls)
    exit(0)
}
let start = Instant.now
var results: [String: Int] = [:]
for index in 0..<options.schedules {
    let seed = options.seed &+ index
    let schedule = Schedule(seed: seed, tls)
    let violations = schedule.play()
    guard violations.isEmpty else {
        print("schedule \(index + 1), seed \(seed), is broken:")
        show(seed, tls)
        exit(1)
    }
    for (name, count) in schedule.results { results[name, default: 0] += count }
}
let seconds = Double(Instant.now.since(start)) / 1e9
print("\(options.schedules) schedules passed, \(Int(Double(options.schedules) / seconds)) a second")
if options.printsResults {
    for (name, count) in results.sorted(by: { $0.value > $1.value }) { print("\(count) \(name)") }
}
