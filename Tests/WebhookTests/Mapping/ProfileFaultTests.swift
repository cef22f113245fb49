import TestSupport
import Testing

@testable import Webhook

/// What is wrong with the profiles of a tenants file, each with its place.
struct ProfileFaultTests {
    private func faults(_ profiles: String, sender: String = #""tenant":"acme","profile":"own""#) -> String? {
        let key = #"[{"id":"1","mode":"servicedesk","secret":"0123456789abcdef0123456789abcdef"}]"#
        let text = """
            {"profiles":\(profiles),"tenants":[{"id":"acme"}],"senders":[{"id":"desk",\(sender),"keys":\(key)}]}
            """
        do throws(TenantsFileFault) {
            _ = try TenantsJSON.parse(utf8(text).span) { _ in .failure(SecretReadFault(description: "")) }
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func fault(ofField field: String, _ rule: String) -> String? {
        faults(#"[{"id":"own","like":"generic","fields":{"\#(field)":\#(rule)}}]"#)
    }

    @Test(arguments: [
        ("event", #"{"path":"a.b"}"#), ("event", #"{"value":"x"}"#), ("priority", #"{"map":{"A":"low"}}"#),
        ("created_at", #"{"time":"received"}"#), ("created_at", #"{"path":"t","time":"epoch_milliseconds"}"#),
        ("ticket_id", #"{"prefix":"SDP-"}"#), ("correlation_id", #"{"path":["a","b"],"otherwise":{"path":"c"}}"#),
        (
            "event",
            #"{"path":"a","otherwise":{"path":"b","otherwise":{"path":"c","otherwise":{"path":"d"}}}}"#
        ),
    ])
    func `a rule in place of a shipped one's is accepted`(field: String, rule: String) {
        #expect(fault(ofField: field, rule) == nil)
    }

    @Test(arguments: [
        ("event", #"{"path":""}"#, "path: expected 1 to 8 keys with full stops between them"),
        ("event", #"{"path":["a",""]}"#, "path[1]: expected 1 to 8 keys with full stops between them"),
        ("event", #"{"path":["a","a"]}"#, "path[1]: occurs twice"),
        ("event", #"{"path":[]}"#, "path: expected at least one path"),
        ("event", #"{"path":7}"#, "path: expected a string"),
        ("event", #"{"path":"a","value":"b"}"#, "path: the value has more than one source"),
        ("event", #"{"value":""}"#, "value: must be a string of 1 to 100 characters"),
        ("event", #"{"path":"a","otherwise":{}}"#, "otherwise.path: expected a path or a value"),
        (
            "event",
            #"{"path":"a","otherwise":{"path":"b","otherwise":{"path":"c","otherwise":{"path":"d","otherwise":{}}}}}"#,
            "otherwise.otherwise.otherwise.otherwise: expected at most 4 rules nested in one another"
        ),
        ("event", #"{"html":true}"#, "html: unknown member"), ("event", "[]", nil),
        ("ticket_id", #"{"value":"A"}"#, "value: unknown member"),
        ("ticket_id", #"{"prefix":"a"}"#, "prefix: expected 1 to 20 of A-Z, 0-9 and -"),
        ("priority", #"{"map":{"A":"urgent"}}"#, "map[0]: must be one of low, medium, high, critical"),
        ("priority", #"{"map":{"A":"low","a":"high"}}"#, "map: has two names that differ in case only"),
        ("priority", #"{"default":"High"}"#, "default: must be one of low, medium, high, critical"),
        ("created_at", #"{"time":"now"}"#, #"time: expected "rfc3339" or "epoch_milliseconds" or "received""#),
        ("created_at", #"{"path":"a","time":"received"}"#, "path: the value has more than one source"),
        ("description", #"{"too_long":"drop"}"#, #"too_long: expected "cut" or "refuse""#),
        ("description", #"{"html":"yes"}"#, "html: expected true or false"),
    ])
    func `a fault of a rule has its place`(field: String, rule: String, fault: String?) {
        let place = "profiles[0].fields.\(field)"
        #expect(self.fault(ofField: field, rule) == fault.map { "\(place).\($0)" } ?? "\(place): expected an object")
    }

    @Test(arguments: [
        (#"[{"id":"own","fields":{"event":{"value":"x"}}}]"#, "fields: expected a rule for ticket_id"),
        (#"[{"id":"Own","like":"generic"}]"#, "id: expected 1 to 100 of a-z, 0-9 and -"),
        (#"[{"id":"generic","like":"generic"}]"#, "id: is the id of a shipped profile"),
        (#"[{"id":"own","like":"nope"}]"#, "like: expected one of generic, sdp-cloud-template"),
        (
            #"[{"id":"own","like":"sdp-v3","keys":["id"]}]"#,
            "fields.ticket_id.path: request.id is not one of the template's keys"
        ),
        (#"[{"id":"own","like":"generic","fields":{"tenant_id":{"path":"a"}}}]"#, "fields.tenant_id: unknown member"),
        (#"[{"id":"own","like":"generic","note":"x"}]"#, "note: unknown member"), ("[7]", "expected an object"),
    ])
    func `a fault of a profile has its place`(profiles: String, fault: String) {
        let told = faults(profiles) ?? ""
        #expect(told.contains("profiles[0].\(fault)") || told.contains("profiles[0]: \(fault)"), "\(told)")
    }

    @Test func `two profiles have two ids`() {
        #expect(
            faults(#"[{"id":"own","like":"generic"},{"id":"own","like":"generic"}]"#)
                == "profiles[1].id: another profile has it")
    }

    @Test func `a sender's profile is in the file or shipped, and a tenant has none`() {
        #expect(faults("[]", sender: #""tenant":"acme","profile":"sdp-v3""#) == nil)
        #expect(
            faults("[]")?.hasPrefix("senders[0].profile: is neither in the file nor one of generic") == true)
    }

    @Test func `the value that determines the tenant is one of a template's keys`() {
        let route = #""tenant_from":{"path":"site","tenants":{"A":"acme"}}"#
        #expect(
            faults("[]", sender: #"\#(route),"profile":"sdp-cloud-template""#)
                == "senders[0].tenant_from.path: is not one of the keys of the template profile")
        #expect(faults("[]", sender: #"\#(route),"profile":"sdp-v3""#) == nil)
    }
}
