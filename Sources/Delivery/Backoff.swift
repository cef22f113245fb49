package import System

/// How long to wait before trying again. Its random numbers come from a seed, so that a history can be repeated.
package struct Backoff {
    private var random: SeededGenerator

    package init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// Half of `delay` to all of it.
    package mutating func jittered(_ delay: Nanoseconds) -> Nanoseconds {
        Nanoseconds(UInt64.random(in: delay.count / 2...delay.count, using: &random))
    }

    /// Up to `base` doubled with every attempt, and up to `cap` (full jitter); at least a fiftieth of `base`.
    package mutating func full(attempt: Int, base: Nanoseconds, cap: Nanoseconds) -> Nanoseconds {
        let ceiling = min(cap.count, base.count << UInt64(min(max(attempt, 0), 10)))
        return Nanoseconds(UInt64.random(in: base.count / 50...max(ceiling, base.count / 50), using: &random))
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): good enough to spread delays, and the same everywhere for the same seed.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
