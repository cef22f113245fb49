import TestSupport
import Testing

@testable import FastCGI

/// Requests that are read piece by piece.
struct AssemblyTests {
    private static let requests = [
        request(pair("A", "b") + pair("C", "d"), body: utf8("body"), size: 5, padded: true),
        request(pair("A", "b"), body: pattern(40), keep: false, id: 513, size: 1), request([]),
        begin(padding: 5) + record(Kind.parameters, pair("A", "b"), padding: 255) + record(Kind.parameters, padding: 3)
            + record(Kind.stdin, [1], padding: 255) + record(Kind.stdin, padding: 9),
    ]

    @Test(arguments: requests)
    func `a request is the same however it is cut`(bytes: [UInt8]) throws {
        let whole = try assemble([bytes]).result
        guard case .complete = whole else {
            Issue.record("\(whole)")
            return
        }
        for pieces in cuts(of: bytes) { #expect(try assemble(pieces).result == whole) }
        for end in bytes.indices {
            #expect(try assemble([Array(bytes[..<end])]).result == .incomplete(isEmpty: end == 0))
        }
        for next in [request(), record(Kind.stdin), begin(id: 2)] {
            #expect(try assemble([bytes, next]).result == .refused(.trailingBytes))
            #expect(try assemble([bytes + next]).result == .refused(.trailingBytes))
        }
        #expect(try assemble([bytes + [0]]).result == .refused(.version))
        // It may become a management record.
        #expect(try assemble([bytes + [1]]).result == .incomplete(isEmpty: false))
    }

    @Test func `libfcgi gets the content and none of the padding`() throws {
        let expected = Assembled.complete(parameters: [Parameter("A", "b")], body: [1], keepsConnection: true)
        #expect(try assemble([AssemblyTests.requests[3]]).result == expected)
        let long = request(pair("N", String(repeating: "v", count: 65_000)), body: pattern(131_072), size: 100)
        guard case .complete(_, let body, _) = try assemble([long]).result else {
            Issue.record("not whole")
            return
        }
        #expect(body == pattern(131_072))
    }

    @Test func `a body of one byte a record is whole`() throws {
        let bytes = request(body: pattern(131_072), size: 1)
        guard case .complete(_, let body, _) = try assemble([bytes]).result else {
            Issue.record("not whole")
            return
        }
        #expect(body == pattern(131_072))
    }

    // MARK: Limits

    @Test func `parameters have a limit of bytes, applied to the claim`() throws {
        let claims = record(Kind.parameters, [UInt8](repeating: 0, count: 2)) + record(Kind.parameters, length: 65_535)
        #expect(try assemble([begin() + claims]).result == .refused(.parametersTooLong))
        let single = Array(repeating: record(Kind.parameters, [0]), count: 65_537).flatMap { $0 }
        #expect(try assemble([begin() + single]).result == .refused(.parametersTooLong))
    }

    @Test(arguments: [1, 1000, 65_535])
    func `a body over the limit is read to its end, and not kept`(size: Int) throws {
        let bytes = request(pair("A", "b"), body: pattern(300_000), size: size)
        #expect(try assemble([bytes], bodyLimit: 1000).result == .tooLong(bodyLength: 300_000))
        #expect(try assemble([Array(bytes.dropLast())], bodyLimit: 1000).result == .incomplete(isEmpty: false))
    }

    @Test func `a body of 1 MiB is read to its end, a longer one is not`() throws {
        let limit = RequestAssembly.discardLimit
        #expect(limit == 1_048_576)
        #expect(try assemble([request(body: pattern(limit))]).result == .tooLong(bodyLength: limit))
        let start = begin() + record(Kind.parameters) + stream(Kind.stdin, pattern(limit)).dropLast(8)
        #expect(try assemble([start + record(Kind.stdin, length: 1)]).result == .endless)
    }

    @Test func `a budget of two shares admits a third assembly only after one has gone`() {
        let budget = AssemblyBudget(bytesEach: AssemblyBudget.limit / 2)
        func take() -> RequestAssembly? {
            guard let share = budget.takeShare() else { return nil }
            return RequestAssembly(bodyLimit: 1, share: share)
        }
        var assemblies = [take(), take(), take()]
        #expect(assemblies.map { $0 != nil } == [true, true, false])
        assemblies.removeFirst()
        #expect(take() != nil)
    }

    // MARK: Management records

    /// The type, id and content of each record in some bytes.
    private func records(in bytes: [UInt8]) -> [(type: UInt8, id: Int, content: [UInt8])] {
        var records: [(UInt8, Int, [UInt8])] = []
        var offset = 0
        while offset < bytes.count {
            let length = Int(bytes[offset + 4]) << 8 | Int(bytes[offset + 5])
            let id = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
            records.append((bytes[offset + 1], id, Array(bytes[offset + 8..<offset + 8 + length])))
            offset += 8 + length + Int(bytes[offset + 6])
        }
        return records
    }

    private func values(_ names: [String]) throws -> [Parameter] {
        let names = names.flatMap { pair($0, "") }
        let (result, replies) = try assemble([record(Kind.getValues, names, id: 0)])
        #expect(result == .incomplete(isEmpty: true))
        let found = records(in: replies)
        try #require(found.count == 1)
        #expect(found[0].type == 10 && found[0].id == 0)
        var pairs: [Parameter] = []
        let content = found[0].content
        let isWhole = NameValuePairs.forEach(in: content.span) { pairs.append(Parameter($0, $1)) }
        #expect(isWhole)
        return pairs
    }

    @Test func `FCGI_GET_VALUES is answered with each known name that was asked for, once`() throws {
        #expect(try values(["FCGI_MPXS_CONNS"]) == [Parameter("FCGI_MPXS_CONNS", "0")])
        let all = try values(["FCGI_MPXS_CONNS", "FCGI_MAX_REQS", "FCGI_MAX_CONNS"])
        #expect(all.map(\.name) == ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"])
        #expect(all.dropLast().allSatisfy { (Int($0.value) ?? 0) > 0 })
        #expect(try values([]) == [] && values(["OTHER", ""]) == [])
        #expect(try values(Array(repeating: "FCGI_MPXS_CONNS", count: 50)).count == 1)
    }

    @Test func `an unknown management record is answered with its type`() throws {
        let (result, replies) = try assemble([record(99, [1, 2, 3], id: 0, padding: 4)])
        #expect(result == .incomplete(isEmpty: true))
        #expect(records(in: replies).map(\.type) == [11])
        #expect(records(in: replies).map(\.content) == [[99, 0, 0, 0, 0, 0, 0, 0]])
    }

    @Test func `management records may stand anywhere in a request`() throws {
        let ask = record(Kind.getValues, pair("FCGI_MPXS_CONNS", ""), id: 0)
        let bytes =
            ask + begin() + ask + record(Kind.parameters, pair("A", "b")) + ask + record(Kind.parameters)
            + record(Kind.stdin, [1]) + ask + record(Kind.stdin) + ask
        for pieces in [[bytes]] + cuts(of: bytes) {
            let (result, replies) = try assemble(pieces)
            #expect(result == .complete(parameters: [Parameter("A", "b")], body: [1], keepsConnection: true))
            #expect(records(in: replies).count >= 4)
        }
    }

    @Test func `lengths in FCGI_GET_VALUES that do not add up are refused`() throws {
        for content in [[5], [1, 1, 0x61], [0xC0, 0, 0, 0, 0xC0, 0, 0, 0]] as [[UInt8]] {
            #expect(try assemble([record(Kind.getValues, content, id: 0)]).result == .refused(.parameterLength))
        }
    }
}
