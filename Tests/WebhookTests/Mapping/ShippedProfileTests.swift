import TestSupport
import Testing

@testable import Webhook

/// What ManageEngine ServiceDesk Plus sends, under the profiles that are shipped.
struct ShippedProfileTests {
    private static let cloud =
        #"{"subject":"No mail","request_id":"123456","description":"Since 9","priority":"High","status":"Open"}"#
    private static let onPremises =
        #"{"subject":"No mail","request_id":"4711","description":"","status":"Open","priority":"Low"}"#
    private static let v1 = """
        {"WORKORDERID":"4","REQUESTER":"Shawn Adams","CREATEDTIME":"1429274762907","DUEBYTIME":"1429504200907",\
        "RESPONDEDTIME":"0","SUBJECT":"Specify Subject","SHORTDESCRIPTION":"Specify Description","STATUS":"Open",\
        "PRIORITY":"High","SITE":"","GROUP":"Network"}
        """
    private static let v1File = """
        {"request":{"WORKORDERID":"12","SUBJECT":"No mail","DESCRIPTION":"<div>Since <b>9</b></div>",\
        "CREATEDTIME":"1429274762907","PRIORITY":"Normal","URGENCY":"","IMPACT":"","STATUS":"Open"}}
        """
    private static let v3 = """
        {"request":{"id":"123640000000240013","display_id":"102","subject":"Test create request",\
        "description":"Update the description","created_time":{"display_value":"Jun 24, 2020 03:05 PM",\
        "value":"1593000300533"},"priority":{"color":"#ff0000","name":"High","id":"123640000000006805"},\
        "status":{"name":"On Hold","internal_name":"Onhold"},"requester":{"email_id":null,"name":"First Last"},\
        "technician":null,"due_by_time":null,"udf_fields":{}},"response_status":{"status_code":2000,"status":"success"}}
        """
    private static let v3Unwrapped = """
        {"id":"234567890123456","priority":{"id":"100000000000002","name":"High"},\
        "requester":{"email_id":"user@example.com","name":"John Doe"},"status":{"name":"Open"},\
        "subject":"Server down in DC-2"}
        """
    private static let change = """
        {"INPUT_DATA":{"login_name":"administrator","entity":"change","entity_data":{"id":63,"title":"get output",\
        "priority":null,"description":"","created_on":{"display_value":"Nov 22, 2022 05:16 AM",\
        "value":1669094198821}}}}
        """

    @Test(arguments: [
        ("sdp-cloud-template", cloud, "acme 123456 high \(Desk.time) Since 9"),
        ("sdp-onpremises-template", onPremises, "acme 4711 low \(Desk.time) No mail"),
        ("sdp-v1", v1, "acme 4 high 2015-04-17T12:46:02.907000Z Specify Description"),
        ("sdp-v1", v1File, "acme 12 medium 2015-04-17T12:46:02.907000Z Since 9"),
        (
            "sdp-v3", v3,
            "acme 123640000000240013 high 2020-06-24T12:05:00.533000Z Update the description"
        ),
        ("sdp-v3", v3Unwrapped, "acme 234567890123456 high \(Desk.time) Server down in DC-2"),
        ("sdp-v3", change, "acme 63 medium 2022-11-22T05:16:38.821000Z get output"),
        (
            "generic", #"{"id":7,"title":"No mail","priority":"URGENT","created_at":"2026-01-31T09:30:00+01:00"}"#,
            "acme 7 critical 2026-01-31T09:30:00+01:00 No mail"
        ),
    ])
    func `a payload becomes the expected job`(profile: String, body: String, expected: String) {
        var desk = ProfileDesk(profile)
        #expect(desk.result(of: body) == expected)
    }

    @Test(arguments: [
        ("sdp-cloud-template", #"{"requestId":"4711"}"#, ["request_id", "subject", "requestId"]),
        ("sdp-v3", #"{"requestId":"4711"}"#, ["ticket_id", "description"]),
        (
            "sdp-v3",
            #"{"request":{},"diff":{"old":{"request":{"priority":{"name":"High"}}},"new":{}},"LOGIN_NAME":"a"}"#,
            ["ticket_id", "description"]
        ),
        ("sdp-v3", #"{"subject":"New Issue","priority":{"name":"High"}}"#, ["ticket_id"]),
        ("generic", #"{"subject":"New Issue"}"#, ["ticket_id"]),
    ])
    func `a payload without what a ticket needs is a 400 that names the fields`(
        profile: String, body: String, fields: [String]
    ) {
        var desk = ProfileDesk(profile)
        let outcome = desk.post(body)
        #expect(outcome.disposition == .answer(.invalidFields))
        let told = outcome.exchange.faults.map(\.field.text)
        for field in fields { #expect(told.contains(field), "\(field): \(told)") }
    }

    /// Each member of a shape: absent, null, of another type. What the field falls back on, or the fault.
    @Test(arguments: [
        ("sdp-v3", "id", ["ticket_id", "ticket_id", "ticket_id", "ticket_id"]),
        ("sdp-v3", "subject", ["", "", "", ""]),
        ("sdp-v3", "description", ["", "", "description", "description"]),
        ("sdp-v3", "priority", ["", "", "priority", "priority"]),
        ("sdp-v3", "created_time", ["", "", "created_at", "created_at"]),
        ("sdp-v1", "WORKORDERID", ["ticket_id", "ticket_id", "ticket_id", "ticket_id"]),
        ("sdp-v1", "SUBJECT", ["", "", "", ""]),
        ("sdp-v1", "DESCRIPTION", ["", "", "description", "description"]),
        ("sdp-v1", "PRIORITY", ["", "", "priority", "priority"]),
        ("sdp-v1", "CREATEDTIME", ["", "", "created_at", "created_at"]),
        ("generic", "id", ["ticket_id", "ticket_id", "ticket_id", "ticket_id"]),
        ("generic", "description", ["", "", "description", "description"]),
        ("generic", "created_at", ["", "", "created_at", "created_at"]),
        ("sdp-cloud-template", "request_id", ["request_id", "ticket_id", "request_id", "ticket_id"]),
        ("sdp-cloud-template", "description", ["description", "", "description", "description"]),
        ("sdp-cloud-template", "status", ["status", "", "status", ""]),
    ])
    func `a member that is absent, null, an array or true is a 400, unless the field has something to fall back on`(
        profile: String, member: String, expected: [String]
    ) {
        let shapes = [
            "sdp-v3": [
                ("id", #""7""#), ("subject", #""s""#), ("description", #""d""#), ("priority", #"{"name":"High"}"#),
                ("created_time", #"{"value":"1593000300533"}"#),
            ],
            "sdp-v1": [
                ("WORKORDERID", #""7""#), ("SUBJECT", #""s""#), ("DESCRIPTION", #""d""#), ("PRIORITY", #""High""#),
                ("CREATEDTIME", "1593000300533"),
            ],
            "generic": [
                ("id", "7"), ("subject", #""s""#), ("description", #""d""#), ("created_at", #""\#(Desk.time)""#),
            ],
            "sdp-cloud-template": [
                ("request_id", "7"), ("subject", #""s""#), ("description", #""d""#), ("priority", #""High""#),
                ("status", #""Open""#),
            ],
        ]
        var desk = ProfileDesk(profile)
        let shape = shapes[profile]!
        func body(_ value: String?) -> String {
            let members = shape.compactMap { name, own in
                (name == member ? value : own).map { "\"\(name)\":\($0)" }
            }
            return "{\(members.joined(separator: ","))}"
        }
        for (value, field) in zip([nil, "null", "[1]", "true"], expected) {
            let outcome = desk.post(body(value))
            let told = outcome.exchange.faults.map(\.field.text)
            #expect(told == (field.isEmpty ? [] : [field]), "\(body(value))")
            #expect((outcome.disposition == .queued) == field.isEmpty)
        }
    }

    @Test func `the profiles are what the README says`() {
        #expect(
            MappingProfile.shippedIDs == [
                "generic", "sdp-cloud-template", "sdp-onpremises-template", "sdp-v1", "sdp-v3",
            ])
        for id in MappingProfile.shippedIDs { #expect(MappingProfile.shipped(id) != nil) }
    }
}
