/// A generator whose numbers are the same in every run (Steele, Lea and Flood's SplitMix64), for random cases.
package struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// A number from 0 up to but not including `limit`, which is at least 1.
    package mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    package mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    package mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    /// Bytes cut into pieces of up to eight bytes.
    package mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + 1 + below(8))
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        return pieces
    }

    /// Bytes with one to four faults: a byte changed, a token put in, a part taken out, doubled or cut off.
    package mutating func spoil(_ original: [UInt8], with tokens: [[UInt8]]) -> [UInt8] {
        var bytes = original
        for _ in 0...below(4) {
            let place = below(bytes.count + 1)
            let part = place..<min(bytes.count, place + below(8))
            switch below(6) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(below(8))
            case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 2: bytes.removeSubrange(part)
            case 3: bytes.insert(contentsOf: Array(bytes[part]), at: place)
            case 4: bytes.removeSubrange(place..<(below(4) == 0 ? bytes.count : part.upperBound))
            default: bytes.insert(contentsOf: pick(tokens), at: place)
            }
        }
        return bytes
    }
}
