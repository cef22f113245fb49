import TestSupport
import Testing

@testable import FastCGI

struct RecordScannerTests {
    private let head = begin() + record(Kind.parameters)

    @Test func `a whole request is complete, and its shape says where its parts are`() {
        let bytes = request(pair("A", "b"), body: utf8("body"), keep: true, id: 0x1234)
        let shape = RequestShape(requestID: 0x1234, keepsConnection: true, parameters: 24..<28, bodyLength: 4)
        #expect(scan(bytes) == .complete(shape))
        #expect(scan(request([], keep: false)) == .complete(RequestShape(requestID: 1)))
    }

    @Test func `only the lowest bit of the flags keeps the connection`() {
        var bytes = request([])
        for flags in UInt8.min...UInt8.max {
            bytes[10] = flags
            #expect(scan(bytes) == .complete(RequestShape(requestID: 1, keepsConnection: flags & 1 == 1)))
        }
    }

    // MARK: Splits

    private static let streams = [
        request(pair("REQUEST_METHOD", "POST") + pair("SCRIPT_NAME", "/webhook"), body: utf8("0123456789")),
        request(pair("A", "b"), body: pattern(100), size: 7, padded: true), request([]),
        begin() + stream(Kind.parameters, pair("A", "b"), size: 1) + stream(Kind.stdin, pattern(3), size: 1),
        begin() + record(Kind.parameters, pair("A", "b"), padding: 255) + record(Kind.parameters)
            + record(Kind.stdin, [1], padding: 255) + record(Kind.stdin),
    ]

    @Test(arguments: streams)
    func `a request cut off at any byte is unfinished`(bytes: [UInt8]) {
        for end in bytes.indices { #expect(scan(Array(bytes[..<end])) == .unfinished) }
        #expect(contradictions(in: bytes).isEmpty)
        guard case .complete = scan(bytes) else {
            Issue.record("\(scan(bytes))")
            return
        }
    }

    @Test(arguments: streams)
    func `a second request after the first is refused, but a management record is not`(bytes: [UInt8]) {
        #expect(scan(bytes + bytes) == .refused(.trailingBytes))
        // It may become a management record.
        #expect(scan(bytes + [1]) == .unfinished)
        #expect(scan(bytes + record(Kind.getValues, id: 0)) == .unfinished)
        #expect(contradictions(in: bytes + bytes).isEmpty)
    }

    /// libfcgi would misread these, or does not support them.
    @Test(arguments: [
        begin() + record(Kind.parameters, padding: 8) + record(Kind.stdin),
        begin() + record(Kind.parameters) + record(Kind.stdin, padding: 1),
        begin(padding: 8) + record(Kind.parameters) + record(Kind.stdin),
        record(Kind.getValues, pair("FCGI_MAX_CONNS", ""), id: 0) + request(), record(99, id: 0) + request(),
        begin() + record(Kind.getValues, id: 0) + record(Kind.parameters) + record(Kind.stdin),
    ])
    func `records that libfcgi would misread are left to an assembly`(bytes: [UInt8]) {
        #expect(scan(bytes) == .unfinished)
        #expect(contradictions(in: bytes).isEmpty)
    }

    // MARK: Faults

    @Test(
        arguments: [
            ("version 0", record(Kind.begin, version: 0), .version),
            ("version 2", begin() + record(Kind.parameters, version: 2), .version),
            ("an HTTP request", utf8("GET / HTTP/1.1\r\n\r\n"), .version),
            ("type 0", record(0), .recordType), ("type 12", begin() + record(12), .recordType),
            ("STDOUT", begin() + record(Kind.stdout), .recordType),
            ("DATA", begin() + record(Kind.parameters) + record(Kind.data), .recordType),
            ("GET_VALUES of 1,025 bytes", record(Kind.getValues, length: 1025, id: 0), .managementTooLong),
            ("GET_VALUES_RESULT", record(10, id: 0), .recordType), ("UNKNOWN_TYPE", record(11, id: 0), .recordType),
            ("STDIN without a request", record(Kind.stdin, id: 0), .requestID),
            ("GET_VALUES with the request's id", begin() + record(Kind.getValues), .recordType),
            ("PARAMS first", record(Kind.parameters), .recordOrder), ("STDIN first", record(Kind.stdin), .recordOrder),
            ("BEGIN twice", begin() + begin(), .recordOrder),
            ("STDIN before PARAMS", begin() + record(Kind.stdin), .recordOrder),
            ("PARAMS after their end", begin() + record(Kind.parameters) + record(Kind.parameters), .recordOrder),
            ("BEGIN in the body", begin() + record(Kind.parameters) + begin(), .recordOrder),
            ("id 0", begin(id: 0), .requestID), ("another id", begin() + record(Kind.parameters, id: 2), .requestID),
            ("another id's BEGIN", begin() + begin(id: 2), .requestID),
            ("another id's body", begin() + record(Kind.parameters) + record(Kind.stdin, id: 257), .requestID),
            ("another id's abort", begin() + record(Kind.abort, id: 2), .requestID),
            ("an authorizer", begin(role: 2), .role), ("a filter", begin(role: 3), .role),
            ("role 257", begin(role: 257), .role),
            ("role 0", begin(role: 0), .role), ("a short BEGIN", record(Kind.begin, [0, 1, 0]), .recordLength),
            ("an empty BEGIN", record(Kind.begin), .recordLength),
            ("a long BEGIN", record(Kind.begin, length: 9), .recordLength),
            ("an abort", begin() + record(Kind.abort), .aborted),
            ("an abort with content", record(Kind.abort, [1]), .aborted),
            (
                "an abort in the body",
                begin() + record(Kind.parameters) + record(Kind.stdin, [1]) + record(Kind.abort), .aborted
            ),
            ("a record after the request", request() + record(Kind.stdin), .trailingBytes),
        ] as [(String, [UInt8], ProtocolFault)])
    func `a malformed request is refused for its fault`(what: String, bytes: [UInt8], expected: ProtocolFault) {
        #expect(scan(bytes) == .refused(expected), "\(what)")
        #expect(contradictions(in: bytes).isEmpty, "\(what)")
        // Nothing that follows makes it valid.
        if expected != .trailingBytes { #expect(scan(bytes + request()) == .refused(expected), "\(what)") }
    }

    @Test func `the number of records has no limit`() {
        let bytes = request(pattern(2000).flatMap { _ in pair("", "") }, body: pattern(5000), size: 1)
        #expect(scan(bytes).shape?.bodyLength == 5000)
    }

    // MARK: Bodies

    @Test(arguments: [
        0, 1, 7, 8, 8_123, 8_124, 8_125, 8_127, 8_128, 8_129, 8_191, 8_192, 32_767, 32_768, 32_769, 65_535, 65_536,
        131_071,
        131_072,
    ])
    func `a body of any size up to the limit is complete`(size: Int) {
        for padded in [false, true] {
            #expect(scan(request(body: pattern(size), padded: padded)).shape?.bodyLength == size)
            #expect(scan(request(body: pattern(size), size: 65_535, padded: padded)).shape?.bodyLength == size)
        }
    }

    @Test func `a body over the limit is unfinished, not refused`() {
        let start = begin(keep: false) + stream(Kind.parameters, pair("A", "b"))
        #expect(scan(start + stream(Kind.stdin, pattern(10)), bodyLimit: 10).shape?.bodyLength == 10)
        #expect(scan(start + stream(Kind.stdin, pattern(11)), bodyLimit: 10) == .unfinished)
        #expect(scan(start + stream(Kind.stdin, pattern(11), size: 1), bodyLimit: 10) == .unfinished)
        #expect(contradictions(in: start + stream(Kind.stdin, pattern(30), size: 4), bodyLimit: 10).isEmpty)
    }

    @Test func `the largest request fits into one look`() {
        let scanner = RecordScanner(bodyLimit: 131_072)
        let long = String(repeating: "v", count: 65_536 - 6)
        let bytes = request(
            length(1) + length(long.utf8.count) + utf8("V" + long), body: pattern(131_072), padded: true)
        #expect(scan(bytes).shape?.bodyLength == 131_072)
        #expect(bytes.count <= scanner.lookLimit)
    }
}

extension Scan {
    /// The shape of a complete request.
    var shape: RequestShape? { if case .complete(let shape) = self { shape } else { nil } }
}
