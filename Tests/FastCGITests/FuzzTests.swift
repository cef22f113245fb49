import TestSupport
import Testing

@testable import FastCGI

struct FuzzTests {
    private static let tokens: [[UInt8]] = [
        begin(), begin(keep: false), record(Kind.parameters), record(Kind.stdin), record(Kind.abort),
        record(Kind.getValues, id: 0), record(Kind.stdin, length: 65_535), record(Kind.parameters, length: 65_535),
        [0x80, 0, 0, 1],
        [0xFF, 0xFF, 0xFF, 0xFF], [0, 0], [1], [0], [255], pair("A", "b"), request(),
    ]

    @Test(arguments: 0..<3)
    func `scanner and assembly agree on spoilt requests, however they are cut`(seed: Int) throws {
        let original = [
            request(pair("REQUEST_METHOD", "POST") + pair("A", "b"), body: utf8("body")),
            request(pair("A", "b"), body: pattern(20), size: 3, padded: true), request([]),
        ][seed]
        var random = SplitMix64(seed: UInt64(seed))
        var kinds: Set<String> = []
        for _ in 0..<1500 {
            let bytes = random.spoil(original, with: FuzzTests.tokens)
            let found = contradictions(in: bytes, bodyLimit: 24)
            if !found.isEmpty { Issue.record("\(found): \(bytes)") }
            kinds.insert(String("\(scan(bytes, bodyLimit: 24))".prefix(12)))
            if scan(bytes).shape != nil { #expect((try? parameters(of: bytes)) != nil) }
            let whole = try assemble([bytes], bodyLimit: 24).result
            switch scan(bytes, bodyLimit: 24) {
            case .complete: if case .complete = whole {} else { Issue.record("\(whole): \(bytes)") }
            case .refused(let fault): #expect(whole == .refused(fault), "\(bytes)")
            case .unfinished: break
            }
            // However it is cut, the result is the same.
            for pieces in [bytes.map { [$0] }, random.cut(bytes)] {
                let result = try assemble(pieces, bodyLimit: 24).result
                #expect(result == whole, "\(bytes)")
            }
        }
        // Complete, unfinished and refused all occurred.
        #expect(kinds.count == 3)
    }

    @Test func `random bytes do not trap the scanner`() {
        var random = SplitMix64(seed: 11)
        for _ in 0..<10_000 {
            let bytes =
                random.pick([[], begin(), begin() + record(Kind.parameters)]) + [1] + random.bytes(random.below(40))
            if scan(bytes).shape != nil { #expect((try? parameters(of: bytes)) != nil) }
        }
    }
}
