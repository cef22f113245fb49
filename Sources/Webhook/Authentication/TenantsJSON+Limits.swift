import JSON

/// Reading limits: `{"per_second": 5, "burst": 100}`.
extension TenantsJSON {
    /// Nil for a limit with a fault.
    mutating func readLimit(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> RateLimit? {
        guard try isObject(&reader, text, at: place) else { return nil }
        var names: Set<String> = []
        var rate: Int?
        var burst: Int?
        try reader.readMembers(in: text) { reader, key throws(JSONFault) in
            let name = self.place(key.text(from: text))
            let place = "\(place).\(name)"
            names.insert(name)
            switch name {
            case "per_second": rate = try readRate(&reader, text, at: place)
            case "burst": burst = try readBurst(&reader, text, at: place)
            default: try skipUnknown(&reader, text, at: place)
            }
        }
        for name in ["per_second", "burst"] where !names.contains(name) {
            faults.add("\(place): expected \(name)")
        }
        guard let rate, let burst else { return nil }
        return RateLimit(thousandths: rate, burst: burst)
    }

    private mutating func readRate(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Int? {
        let start = reader.position
        try reader.skipValue(in: text)
        if let rate = RateLimit.thousandths(text.extracting(start..<reader.position)), RateLimit.rates.contains(rate) {
            return rate
        }
        let most = RateLimit.rates.upperBound / 1000
        faults.add("\(place): expected a number above 0, at most \(most), with at most three decimals")
        return nil
    }

    private mutating func readBurst(
        _ reader: inout JSONReader, _ text: Span<UInt8>, at place: String
    ) throws(JSONFault) -> Int? {
        guard let burst = try wholeNumber(&reader, text, at: place) else { return nil }
        if RateLimit.bursts.contains(burst) { return burst }
        faults.add("\(place): expected \(RateLimit.bursts.lowerBound) to \(RateLimit.bursts.upperBound)")
        return nil
    }
}
