import TestSupport
import Testing
import Webhook

struct MediaTypeTests {
    private func isJSON(_ type: String) -> Bool {
        var exchange = Exchange()
        exchange.take(utf8("CONTENT_TYPE").span, utf8(type).span, headers: HeaderNames())
        return exchange.bodyType == .json
    }

    @Test(arguments: [
        "application/json", "APPLICATION/JSON", "Application/Json", "application/json; charset=utf-8",
        "application/json;charset=UTF-8", "application/json; charset=\"utf-8\"", "application/json; Charset=Utf-8",
        "application/json ; charset=utf-8 ", " application/json", "application/json\t;\tcharset=utf-8",
        "application/json;",
        "application/json; x=y", "application/json; x=\"a;b\"; charset=utf-8",
        "application/json; x=\"; charset=latin1\"",
        "application/vnd.servicedesk+json", "application/cloudevents+json; charset=utf-8", "text/x+json",
        "application/a+b+json", "application/x+JSON", "application/json;charset=utf-8;charset=utf-8",
    ])
    func `a JSON media type, with no charset but UTF-8, is accepted`(type: String) {
        #expect(isJSON(type))
    }

    @Test(arguments: [
        "", "json", "text/json", "text/plain", "application/xml", "application/jsonp", "application/json5",
        "application/x-www-form-urlencoded", "application/jsonn", "xapplication/json", "application/json, text/plain",
        "application/json application/json", "application /json", "application/ json", "application/+json", "/x+json",
        "+json", "application/x+json/y", "application/x+xml", "application/x+jsonx", "application/xjson",
        "multipart/form-data",
        "application/json; charset=latin1", "application/json; charset=iso-8859-1", "application/json; charset=utf-16",
        "application/json; charset=utf8", "application/json; charset=", "application/json; charset=\"\"",
        "application/json; charset=utf-8, latin1", "application/json;charset=utf-8;charset=latin1",
        "application/json; x=\"a;b\"; charset=latin1", "application/json; charset='utf-8'",
        "application/x+json; charset=ascii",
        "application/jsoné", "a,b/x+json",
    ])
    func `any other media type or charset is refused`(type: String) {
        #expect(!isJSON(type))
    }

    @Test func `a request without a content type is refused`() {
        #expect(Exchange().bodyType == .other)
        #expect(outcome { $0.contentType = nil }.disposition == .answer(.unsupportedMediaType))
    }
}
