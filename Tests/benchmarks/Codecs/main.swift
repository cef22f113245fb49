// Bytes a second of the codecs, each beside a baseline that goes over the same bytes and does less: only the ratio
// means anything elsewhere. Tests/bench codecs.

/// A codec and its baseline: each takes the same bytes, and returns a number so that nothing is left out.
struct Pair {
    let name: String
    let baseline: String
    let bytes: Int
    let run: () -> Int
    let runBaseline: () -> Int
}

nonisolated(unsafe) var sink = 0

/// Bytes a second, in millions.
func speed(_ bytes: Int, _ run: () -> Int) -> Double {
    let clock = ContinuousClock()
    let end = clock.now + .milliseconds(60)
    let start = clock.now
    var count = 0
    repeat {
        for _ in 0..<16 { unsafe sink &+= run() }
        count += 16
    } while clock.now < end
    return Double(bytes * count) / ((clock.now - start) / .seconds(1)) / 1e6
}

func median(_ numbers: [Double]) -> Double { numbers.sorted()[numbers.count / 2] }

func compare(_ pair: Pair) {
    var speeds: [Double] = []
    var ratios: [Double] = []
    for _ in 0..<9 {
        let own = speed(pair.bytes, pair.run)
        speeds.append(own)
        ratios.append(own / speed(pair.bytes, pair.runBaseline))
    }
    let ratio = Int(median(ratios) * 100)
    let name = pair.name + String(repeating: " ", count: max(0, 26 - pair.name.count))
    print("\(name) \(Int(median(speeds))) MB/s, ×\(ratio / 100).\(ratio % 100 / 10)\(ratio % 10) of \(pair.baseline)")
}

let pairs = ticketPairs() + claimPairs() + [replies(), command(), records(), authentication()]
for pair in pairs { compare(pair) }
