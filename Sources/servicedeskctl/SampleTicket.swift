import System
import Webhook

/// A valid ticket for a trial.
enum SampleTicket {
    /// - Parameter tenant: nil where the sender's path says it.
    static func body(number: Int, tenant: String?) -> [UInt8] {
        let seconds = WallClock.now.microseconds / 1_000_000
        let time = Timestamp.text(Int(seconds))
        let member = tenant.map { #""tenant_id":"\#($0)","# } ?? ""
        return Array(
            #"{"event":"ticket_created","ticket_id":"SAMPLE-\#(seconds)-\#(number)",\#(member)"description":"A sample from servicedeskctl send","priority":"low","created_at":"\#(time)"}"#
                .utf8)
    }
}
