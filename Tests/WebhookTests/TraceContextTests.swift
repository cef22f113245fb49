import TestSupport
import Testing
import Webhook

struct TraceContextTests {
    private static let traceID = "0af7651916cd43dd8448eb211c80319c"
    private static let parentID = "b7ad6b7169203331"

    /// The context of a request with these headers.
    private func context(parent: String?, state: String? = nil) -> TraceContext {
        outcome {
            if let state { $0.others.append(("HTTP_TRACESTATE", state)) }
            if let parent { $0.others.append(("HTTP_TRACEPARENT", parent)) }
        }.exchange.trace
    }

    private func isID(_ text: [UInt8], digits: Int) -> Bool {
        text.count == digits && text.text.allSatisfy { $0.isHexDigit && !$0.isUppercase }
            && text.text.contains { $0 != "0" }
    }

    @Test(arguments: [
        traceParent, "00-\(traceID)-\(parentID)-00", "00-\(traceID)-\(parentID)-03", "00-\(traceID)-\(parentID)-ff",
        "01-\(traceID)-\(parentID)-01", "cc-\(traceID)-\(parentID)-01-what-the-future-brings",
        "fe-\(traceID)-\(parentID)-01-",
        " \(traceParent)\t",
    ])
    func `a valid traceparent is carried on`(value: String) {
        let context = context(parent: value)
        #expect(context.traceID.text == Self.traceID && context.parentID.text == Self.parentID)
        #expect(isID(context.spanID, digits: 16) && context.spanID != context.parentID)
    }

    @Test(arguments: [
        nil, "", "00", "00-\(traceID)-\(parentID)", "00-\(traceID)-\(parentID)-1", "00-\(traceID)-\(parentID)-011",
        "00-\(traceID)-\(parentID)-01-more", "ff-\(traceID)-\(parentID)-01", "0-\(traceID)-\(parentID)-01",
        "0x-\(traceID)-\(parentID)-01", "00-00000000000000000000000000000000-\(parentID)-01",
        "00-\(traceID)-0000000000000000-01", "00-0AF7651916CD43DD8448EB211C80319C-\(parentID)-01",
        "00-\(traceID)-B7AD6B7169203331-01", "00-0af7651916cd43dd8448eb211c80319g-\(parentID)-01",
        "00-\(traceID)-b7ad6b716920333g-01", "00-\(traceID)-\(parentID)-0g", "00-\(traceID)-\(parentID)-0A",
        "00_\(traceID)-\(parentID)-01", "00-\(traceID)_\(parentID)-01", "00-\(traceID)-\(parentID)_01",
        "cc-\(traceID)-\(parentID)-01.what", "0A-\(traceID)-\(parentID)-01", "\(traceParent),\(traceParent)",
        "00-\(traceID)-\(parentID)-01 x",
    ])
    func `without a valid traceparent a trace begins, and no tracestate is kept`(value: String?) {
        let context = context(parent: value, state: "congo=t61rcWkgMzE")
        #expect(isID(context.traceID, digits: 32) && context.traceID.text != Self.traceID)
        #expect(isID(context.spanID, digits: 16) && context.parentID.isEmpty && context.state.isEmpty)
    }

    @Test func `a new trace has the request's id if that is 32 hexadecimal digits`() {
        let id = "2d14841f81a944f02f97da31fd3e446f"
        #expect(outcome { $0.requestID = id }.exchange.trace.traceID.text == id)
        for other in [
            id.uppercased(), String(id.dropLast()), id + "0", "g" + id.dropFirst(), String(repeating: "0", count: 32),
        ] {
            let trace = outcome { $0.requestID = other }.exchange.trace
            #expect(isID(trace.traceID, digits: 32) && trace.traceID.text != other)
        }
        #expect(
            outcome { ($0.requestID, $0.others) = (id, [("HTTP_TRACEPARENT", traceParent)]) }.exchange.trace.traceID
                .text == Self.traceID)
    }

    @Test func `a traceparent that is cut off or has a stray byte anywhere is ignored`() {
        for end in 0..<traceParent.utf8.count {
            #expect(context(parent: String(traceParent.prefix(end))).parentID.isEmpty)
        }
        for index in 0..<traceParent.utf8.count {
            for byte: UInt8 in [0, 0x20, 0x2C, 0x2F, 0x3A, 0x47, 0x60, 0x67, 0x7F, 0x80, 0xFF] {
                var bytes = utf8(traceParent)
                bytes[index] = byte
                var exchange = Exchange()
                exchange.take(utf8("HTTP_TRACEPARENT").span, bytes.span, headers: HeaderNames())
                #expect(exchange.trace.parentID.isEmpty, "\(byte) at \(index)")
            }
        }
    }

    @Test(arguments: [
        (traceParent, "01"), ("00-\(traceID)-\(parentID)-02", "00"), ("00-\(traceID)-\(parentID)-03", "01"),
        (nil, "01"),
    ])
    func `the worker's traceparent has this span, and of the flags only whether the trace is sampled`(
        value: String?, flags: String
    ) throws {
        var desk = Desk(encoder: .plain(.traceContext))
        let result = desk.handle(Request { request in value.map { request.others = [("HTTP_TRACEPARENT", $0)] } })
        let trace = result.exchange.trace
        let expected = "00-\(trace.traceID.text)-\(trace.spanID.text)-\(flags)"
        #expect(try #require(result.jobs.first).hasSuffix(#","traceparent":"\#(expected)"}"#))
    }

    @Test(arguments: [
        "congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1 , b=2\t,c= 3", "a=1,,b=2,",
        "0tenant@system=1",
        "a_-*/9=~!\"", "\(String(repeating: "k", count: 256))=\(String(repeating: "v", count: 255))",
        "\(String(repeating: "t", count: 241))@\(String(repeating: "s", count: 14))=1",
        (0..<32).map { "k\($0)=1" }.joined(separator: ","),
    ])
    func `a valid tracestate is carried on as it is`(value: String) {
        #expect(context(parent: traceParent, state: value).state.text == value)
    }

    @Test(arguments: [
        "", ",", " ", "a", "=", "a=", "=1", "A=1", "0a=1", "a=1=2", "a=é", "a b=1", "a=\u{7F}", "a=1;b=2,c", "@a=1",
        "a@=1",
        "a@0=1", "a@b@c=1", "\(String(repeating: "k", count: 257))=1", "a=\(String(repeating: "v", count: 257))",
        "\(String(repeating: "t", count: 242))@s=1", "t@\(String(repeating: "s", count: 15))=1",
        "a=\(String(repeating: "v", count: 250)),b=\(String(repeating: "v", count: 257))",
        (0..<33).map { "k\($0)=1" }.joined(separator: ","),
    ])
    func `an invalid tracestate is dropped, and the traceparent kept`(value: String) {
        let context = context(parent: traceParent, state: value)
        #expect(context.state.isEmpty && context.parentID.text == Self.parentID)
    }

    @Test func `a tracestate of more than 512 bytes is dropped`() {
        let long = (0..<4).map { "k\($0)=\(String(repeating: "v", count: 124))" }.joined(separator: ",")
        #expect(long.utf8.count == 511 && context(parent: traceParent, state: "\(long) ").state.count == 512)
        #expect(context(parent: traceParent, state: "\(long)  ").state.isEmpty)
    }

    @Test func `any bytes are taken without a trap, and nothing of one request is left for the next`() {
        var random = SplitMix64(seed: 11)
        var exchange = Exchange()
        let pieces = ["00-", "-01", Self.traceID, Self.parentID, "a=1", ",", "=", "@", "é", " ", "\0"]
        for _ in 0..<20_000 {
            for name in ["HTTP_TRACEPARENT", "HTTP_TRACESTATE"] {
                let count = Int(random.next() % 8)
                let value = (0..<count).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }.joined()
                exchange.take(utf8(name).span, utf8(value).span, headers: HeaderNames())
            }
            exchange.reset()
            #expect(exchange.trace.traceID.isEmpty && exchange.trace.parentID.isEmpty && exchange.trace.state.isEmpty)
        }
    }

    @Test func `nothing of a valid traceparent is left after an invalid one`() throws {
        var desk = Desk(encoder: .plain(.traceContext))
        let result = desk.handle(
            Request {
                $0.others = [
                    ("HTTP_TRACEPARENT", "00-\(Self.traceID)-\(Self.parentID)-00"), ("HTTP_TRACEPARENT", "x"),
                    ("HTTP_TRACESTATE", "a=1"),
                ]
            })
        let trace = result.exchange.trace
        #expect(trace.traceID.text != Self.traceID && trace.parentID.isEmpty && trace.state.isEmpty)
        #expect(try #require(result.jobs.first).hasSuffix("-\(trace.spanID.text)-01\"}"))
    }

    @Test func `of several headers the last one counts`() {
        let other = "00-\(String(repeating: "a", count: 32))-\(String(repeating: "b", count: 16))-01"
        let exchange = outcome {
            $0.others = [
                ("HTTP_TRACEPARENT", traceParent), ("HTTP_TRACEPARENT", other), ("HTTP_TRACESTATE", "a=1"),
                ("HTTP_TRACESTATE", "b=2"),
            ]
        }.exchange
        #expect(exchange.trace.traceID.text == String(repeating: "a", count: 32) && exchange.trace.state.text == "b=2")
    }
}
