import TestSupport
import Testing

@testable import Webhook

/// Forms with JSON in one parameter.
struct FormBodyTests {
    @Test(arguments: ["a&", "a=&", "&", "=", "%20&", "payload&"])
    func `the time grows with the form's length`(piece: String) {
        func duration(_ count: Int) -> Duration {
            let form = utf8(String(repeating: piece, count: count / piece.utf8.count))
            return processorTime { _ = try? FormBody.payload(of: form.span, allowsOthers: true) }
        }
        // A quadratic scan would take 64 times as long; eight times is what is right.
        let short = (0..<3).map { _ in duration(16_384) }.min()!
        let long = (0..<3).map { _ in duration(131_072) }.min()!
        #expect(long < short * 30 + .milliseconds(20))
    }
}
