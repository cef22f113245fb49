import TestSupport
import Testing

@testable import FastCGI

struct ParametersTests {
    private let some = [
        Parameter("REQUEST_METHOD", "POST"), Parameter("PATH_INFO", ""), Parameter("", "x"), Parameter("é", "\0"),
    ]

    private func content(wideNames: Bool = false, wideValues: Bool = false) -> [UInt8] {
        some.flatMap { pair($0.name, $0.value, wideName: wideNames, wideValue: wideValues) }
    }

    @Test func `the length of a name or value takes one byte or four`() throws {
        for wideNames in [false, true] {
            for wideValues in [false, true] {
                #expect(try parameters(of: request(content(wideNames: wideNames, wideValues: wideValues))) == some)
            }
        }
    }

    @Test(arguments: [0, 1, 126, 127, 128, 129, 255, 256, 60_000])
    func `names and values of every length are read`(count: Int) throws {
        let value = String(repeating: "v", count: count)
        #expect(try parameters(of: request(pair("N", value))) == [Parameter("N", value)])
        #expect(
            try parameters(of: request(pair(value, "V") + pair("A", "b"))) == [
                Parameter(value, "V"), Parameter("A", "b"),
            ])
    }

    @Test func `parameters may be cut into records anywhere`() throws {
        let content = content(wideValues: true)
        for size in 1...content.count {
            #expect(try parameters(of: request(content, size: size, padded: true)) == some)
        }
        for cut in 1..<content.count {
            let records =
                record(Kind.parameters, Array(content[..<cut])) + stream(Kind.parameters, Array(content[cut...]))
            #expect(try parameters(of: begin() + records + record(Kind.stdin)) == some)
        }
    }

    @Test func `a scanner keeps no parameters of the request before`() {
        var scanner = RecordScanner(bodyLimit: 100)
        let first = request(pair("SECRET", "gathered"), size: 3)
        _ = scanner.scan(first.span)
        let second = request([])
        guard case .complete(let shape) = scanner.scan(second.span) else {
            Issue.record("not whole")
            return
        }
        var count = 0
        #expect(scanner.forEachParameter(of: shape, in: second.span) { _, _ in count += 1 })
        #expect(count == 0)
    }

    @Test(
        arguments: [
            ("1 GiB each", [0xC0, 0, 0, 0, 0xC0, 0, 0, 0] + utf8("name and value")),
            ("2 GiB each", [UInt8](repeating: 0xFF, count: 8) + utf8("x")), ("only a length", [1]),
            ("only a wide length's beginning", [0x80, 0, 0]), ("a length without its value's", [0x80, 0, 0, 1]),
            ("a name longer than all", [2, 0, 0x61]), ("a value longer than all", [1, 1, 0x61]),
            ("a value longer by far", [1, 0xFF, 0xFF, 0xFF, 0xFF, 0x61]),
            ("a good one, then a bad one", pair("A", "b") + [1, 5, 0x61]),
            ("a byte too many", pair("A", "b") + [0]),
        ] as [(String, [UInt8])])
    func `parameter lengths that do not add up are refused`(what: String, content: [UInt8]) {
        #expect(scan(request(content)) == .refused(.parameterLength), "\(what)")
        #expect(scan(request(content, size: 1)) == .refused(.parameterLength), "\(what)")
        // As soon as the parameters end, before there is a body.
        #expect(scan(begin() + stream(Kind.parameters, content)) == .refused(.parameterLength), "\(what)")
        #expect(contradictions(in: request(content)).isEmpty, "\(what)")
    }

    @Test func `64 KiB of parameters are accepted, and no more`() {
        let most = pair("N", String(repeating: "v", count: RecordSequence.parametersLimit - 6))
        #expect(most.count == RecordSequence.parametersLimit)
        #expect(scan(request(most)).shape?.parameters == nil)
        #expect(scan(request(most)).shape != nil)
        #expect(scan(request(most + pair("", ""))) == .refused(.parametersTooLong))
        // Refused for the length that it claims, before the bytes arrive.
        let claims = record(Kind.parameters, [UInt8](repeating: 0, count: 2)) + record(Kind.parameters, length: 65_535)
        #expect(scan(begin() + claims) == .refused(.parametersTooLong))
    }

    @Test func `1,000 parameters with empty names and values are read`() throws {
        let content = [UInt8](repeating: 0, count: 2 * 1000)
        #expect(try parameters(of: request(content)) == Array(repeating: Parameter("", ""), count: 1000))
    }
}
