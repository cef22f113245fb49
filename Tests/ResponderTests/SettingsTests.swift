import Delivery
import FastCGI
import Glibc
import Redis
import System
import TestSupport
import Testing
import Webhook

@testable import Responder

let secret = String(repeating: "s", count: 32)

/// The faults in an environment, to which a valid secret is added unless `hasSecret` is false.
func faults(_ environment: [String: String], hasSecret: Bool = true) -> [String] {
    let base = hasSecret ? ["SERVICEDESK_SECRET": secret] : [:]
    do throws(SettingsFault) {
        _ = try Settings(base.merging(environment) { $1 }.mapValues { utf8($0) })
        return []
    } catch {
        return error.lines
    }
}

private func faults(of name: String, _ value: [UInt8]) -> [String] {
    do throws(SettingsFault) {
        _ = try Settings(["SERVICEDESK_SECRET": utf8(secret)].merging([name: value]) { $1 })
        return []
    } catch {
        return error.lines
    }
}

func settings(_ environment: [String: String]) throws -> Settings {
    try Settings(["SERVICEDESK_SECRET": secret].merging(environment) { $1 }.mapValues { utf8($0) })
}

struct SettingsTests {
    @Test func `the defaults are those of the README`() throws {
        var settings = try settings([:])
        let delivery = settings.delivery
        #expect(settings.redis == (try Address("redis://127.0.0.1:6379/0")))
        #expect(delivery.queue == "enhancement:queue" && delivery.maxConnections == 10)
        #expect(delivery.connectTimeout == .seconds(5) && delivery.replyTimeout == .seconds(5))
        #expect(delivery.attempts == 3 && delivery.retryDelay == .seconds(1) && delivery.idleTimeout == .seconds(60))
        #expect(delivery.pushDeadline == .seconds(8) && delivery.maxPending == 4096)
        #expect(delivery.window == 86_400 && delivery.maxDepth == 0 && delivery.waitReplicas == 0)
        #expect(settings.server.body == 131_072 && settings.server.request == .seconds(5))
        #expect(settings.unknownFields == .reject && settings.drainTimeout == .seconds(10))
        #expect(settings.logLevel == .info && settings.logFormat == .json && settings.logFile == nil)
        #expect(
            settings.runtimeDirectory == nil && settings.secretSource == .environment && settings.unknownVariables == []
        )
        #expect(settings.webServers == nil && settings.maxAge == 0 && settings.jobFormat == .plain)
        #expect(settings.quarantine.entries == 0 && settings.quarantine.age == 604_800)
        #expect(!settings.takeSecrets().arePerTenant)
    }

    @Test func `every variable sets what it names`() throws {
        let directory = TemporaryDirectory()
        let settings = try settings([
            "SERVICEDESK_REDIS_URL": "unix://u:p@/s?db=3", "SERVICEDESK_QUEUE_KEY": "q",
            "SERVICEDESK_REDIS_MAX_CONNECTIONS": "2", "SERVICEDESK_REDIS_CONNECT_TIMEOUT": "0.25",
            "SERVICEDESK_REDIS_TIMEOUT": "3", "SERVICEDESK_REDIS_ATTEMPTS": "4", "SERVICEDESK_REDIS_RETRY_DELAY": "0.5",
            "SERVICEDESK_PUSH_DEADLINE": "6.5", "SERVICEDESK_MAX_PENDING": "7", "SERVICEDESK_MAX_QUEUE_DEPTH": "8",
            "SERVICEDESK_DELIVERY_WINDOW": "9", "SERVICEDESK_REDIS_WAIT": "1,100", "SERVICEDESK_REQUEST_TIMEOUT": "11",
            "SERVICEDESK_MAX_BODY": "12", "SERVICEDESK_UNKNOWN_FIELDS": "ignore", "SERVICEDESK_DRAIN_TIMEOUT": "0",
            "SERVICEDESK_LOG_LEVEL": "warning", "SERVICEDESK_LOG_FORMAT": "text",
            "SERVICEDESK_RUNTIME_DIR": directory.path,
            "SERVICEDESK_LOG_FILE": directory.path + "/log", "SERVICEDESK_MAX_AGE": "300",
            "FCGI_WEB_SERVER_ADDRS": "127.0.0.1,192.0.2.7",
        ])
        let delivery = settings.delivery
        #expect(
            settings.redis == (try Address("unix://u:p@/s?db=3")) && delivery.queue == "q"
                && delivery.maxConnections == 2)
        #expect(delivery.connectTimeout == .milliseconds(250) && delivery.replyTimeout == .seconds(3))
        #expect(
            delivery.attempts == 4 && delivery.retryDelay == .milliseconds(500)
                && delivery.pushDeadline == .milliseconds(6500))
        #expect(delivery.maxPending == 7 && delivery.maxDepth == 8 && delivery.window == 9)
        #expect(delivery.waitReplicas == 1 && delivery.waitMilliseconds == 100)
        #expect(settings.server.request == .seconds(11) && settings.server.body == 12)
        #expect(settings.unknownFields == .ignore && settings.drainTimeout == Nanoseconds(0))
        #expect(
            settings.logLevel == .warning && settings.logFormat == .text && settings.logFile == directory.path + "/log")
        #expect(settings.maxAge == 300 && settings.webServers == WebServerAddresses("192.0.2.7,127.0.0.1"))
        #expect(settings.runtimeDirectory == directory.path && settings.unknownVariables == [])
    }

    @Test(arguments: [
        ("SERVICEDESK_REDIS_MAX_CONNECTIONS", "1", "100"), ("SERVICEDESK_REDIS_ATTEMPTS", "1", "100"),
        ("SERVICEDESK_MAX_PENDING", "1", "1000000"), ("SERVICEDESK_MAX_QUEUE_DEPTH", "0", "4000000000"),
        ("SERVICEDESK_DELIVERY_WINDOW", "0", "31536000"), ("SERVICEDESK_MAX_BODY", "1", "131072"),
        ("SERVICEDESK_MAX_AGE", "0", "31536000"), ("SERVICEDESK_QUARANTINE", "0", "100000"),
        ("SERVICEDESK_QUARANTINE_AGE", "60", "31536000"), ("SERVICEDESK_QUARANTINE_TENANT", "1", "100000"),
    ])
    func `a number must be whole and in its range`(name: String, lowest: String, highest: String) {
        for good in [lowest, highest, ""] { #expect(faults([name: good]) == []) }
        let tooLow = "\(Int(lowest)! - 1)"
        let tooHigh = "\(Int(highest)! + 1)"
        for bad in [tooLow, tooHigh, "1.5", "one", " 1", "1 ", "0x1", "99999999999999999999", "--1"] {
            let expected = "expected a whole number from \(lowest) to \(highest)"
            #expect(faults([name: bad]) == ["\(name) is \"\(bad)\": \(expected)"])
        }
    }

    @Test func `one tenant's share of the quarantine is a tenth, or a number below that of all`() throws {
        for (entries, share) in [("1", 1), ("9", 1), ("1000", 100), ("100000", 10_000)] {
            #expect(try settings(["SERVICEDESK_QUARANTINE": entries]).quarantine.tenantEntries == share)
        }
        let limits = try settings([
            "SERVICEDESK_QUARANTINE": "50", "SERVICEDESK_QUARANTINE_AGE": "60", "SERVICEDESK_QUARANTINE_TENANT": "49",
        ]).quarantine
        #expect(limits.entries == 50 && limits.age == 60 && limits.tenantEntries == 49)
        #expect(
            faults(["SERVICEDESK_QUARANTINE": "50", "SERVICEDESK_QUARANTINE_TENANT": "50"]) == [
                "SERVICEDESK_QUARANTINE_TENANT is 50: expected less than SERVICEDESK_QUARANTINE, which is 50"
            ])
    }

    @Test(arguments: [
        ("SERVICEDESK_REDIS_CONNECT_TIMEOUT", "0.01", "60.0"), ("SERVICEDESK_REDIS_TIMEOUT", "0.01", "60.0"),
        ("SERVICEDESK_REDIS_RETRY_DELAY", "0.001", "60.0"), ("SERVICEDESK_PUSH_DEADLINE", "0.01", "600.0"),
        ("SERVICEDESK_REQUEST_TIMEOUT", "0.01", "600.0"), ("SERVICEDESK_DRAIN_TIMEOUT", "0.0", "600.0"),
    ])
    func `seconds must be a number in their range`(name: String, lowest: String, highest: String) {
        for good in [lowest, highest, "1", ""] { #expect(faults([name: good]) == []) }
        for bad in ["-1", "601", "nan", "inf", "-0.1", "1s", "1,5", "soon", "1e400", "0.00001"] {
            if bad == "0.00001" && lowest == "0.0" { continue }
            let expected = "expected seconds from \(lowest) to \(highest)"
            #expect(faults([name: bad]) == ["\(name) is \"\(bad)\": \(expected)"])
        }
    }

    @Test(arguments: [
        ("SERVICEDESK_UNKNOWN_FIELDS", "reject, ignore"), ("SERVICEDESK_LOG_FORMAT", "json, text"),
        ("SERVICEDESK_LOG_LEVEL", "debug, info, warning, error"), ("SERVICEDESK_JOB_FORMAT", "plain, celery"),
    ])
    func `a choice must be one of the listed words`(name: String, accepted: String) {
        for good in accepted.split(separator: ", ") { #expect(faults([name: String(good)]) == []) }
        for bad in ["INFO", "none", " json"] {
            #expect(faults([name: bad]) == ["\(name) is \"\(bad)\": expected one of \(accepted)"])
        }
    }

    @Test func `further members of a job are names separated by commas`() {
        for good in ["event", "delivery_id,traceparent", "traceparent,event,delivery_id", ""] {
            #expect(faults(["SERVICEDESK_JOB_MEMBERS": good]) == [])
        }
        for bad in ["event;delivery_id", "event, delivery_id", "tracestate", ","] {
            let expected = "expected names separated by commas, of event, delivery_id, traceparent"
            #expect(faults(["SERVICEDESK_JOB_MEMBERS": bad]) == ["SERVICEDESK_JOB_MEMBERS is \"\(bad)\": \(expected)"])
        }
    }

    @Test func `a Celery task's name is checked`() {
        #expect(faults(["SERVICEDESK_CELERY_TASK": "app.tasks.enhance_2"]) == [])
        for bad in ["a b", "a-b", "é"] {
            let expected = "expected 1 to 200 letters, digits, _ and ."
            #expect(faults(["SERVICEDESK_CELERY_TASK": bad]) == ["SERVICEDESK_CELERY_TASK is \"\(bad)\": \(expected)"])
        }
    }

    @Test(arguments: ["1", "0,100", "101,100", "1,0", "1,5000", "1,100,1", "a,b", ",", "1,-1", "1, 100"])
    func `SERVICEDESK_REDIS_WAIT must be two numbers in their ranges`(value: String) throws {
        let lines = faults(["SERVICEDESK_REDIS_WAIT": value])
        try #require(lines.count == 1)
        #expect(lines[0].hasPrefix("SERVICEDESK_REDIS_WAIT is \"\(value)\": expected 1 to 100 replicas"))
        #expect(lines[0].contains("SERVICEDESK_REDIS_TIMEOUT"))
    }

    @Test func `texts have a maximum length`() {
        let long = String(repeating: "x", count: 5000)
        for (name, limit) in [
            ("SERVICEDESK_QUEUE_KEY", 512), ("SERVICEDESK_LOG_FILE", 4095), ("SERVICEDESK_RUNTIME_DIR", 4000),
        ] {
            #expect(faults([name: long]) == ["\(name) has 5000 bytes: expected at most \(limit)"])
        }
        #expect(faults(["SERVICEDESK_QUEUE_KEY": String(repeating: "x", count: 512)]) == [])
    }

    @Test func `a runtime directory that does not exist is refused`() {
        let lines = faults(["SERVICEDESK_RUNTIME_DIR": "/no/such/directory"])
        #expect(lines.count == 1)
        #expect(
            lines.first?.hasPrefix("SERVICEDESK_RUNTIME_DIR is \"/no/such/directory\": expected a directory") == true)
        #expect(lines.first?.contains("No such file or directory") == true)
    }

    @Test func `a log file that cannot be opened is refused`() {
        let lines = faults(["SERVICEDESK_LOG_FILE": "/no/such/directory/log"])
        #expect(lines.count == 1)
        #expect(
            lines.first?.hasPrefix("SERVICEDESK_LOG_FILE is \"/no/such/directory/log\": expected a file that this user")
                == true)
        #expect(lines.first?.contains("No such file or directory") == true)
    }

    @Test(arguments: ["localhost", "127.0.0.1,", "127.0.0.1;::1"])
    func `FCGI_WEB_SERVER_ADDRS must be a list of IPv4 addresses`(list: String) {
        let told = "FCGI_WEB_SERVER_ADDRS is \"\(list)\": expected IPv4 addresses separated by commas"
        #expect(faults(["FCGI_WEB_SERVER_ADDRS": list]) == [told])
    }

    // MARK: Bytes

    @Test func `a secret is kept byte for byte`() throws {
        let odd = [UInt8](repeating: 0xFF, count: 16) + [0xC0, 0x80, 0xED, 0xA0, 0x80, 0x0A, 0x20] + utf8("0123456789")
        var settings = try Settings(["SERVICEDESK_SECRET": odd])
        let body = utf8("body")
        let tag = Authenticator(key: odd.span).tag(of: body.span)
        var secrets = settings.takeSecrets()
        let verdict = secrets.check(tag, of: body.span)
        #expect(verdict == .accepted(key: nil))
        // Bytes are counted, not their replacement characters.
        #expect(
            faults(of: "SERVICEDESK_SECRET", [UInt8](repeating: 0xFF, count: 11)).first?.contains("has 11 bytes")
                == true)
    }

    @Test(arguments: [
        "SERVICEDESK_QUEUE_KEY", "SERVICEDESK_REDIS_URL", "SERVICEDESK_LOG_LEVEL", "SERVICEDESK_MAX_BODY",
    ])
    func `a value that is not UTF-8 is refused where text is expected`(name: String) {
        #expect(faults(of: name, utf8("queue") + [0xFF]) == ["\(name) is not valid UTF-8"])
    }

    @Test(arguments: ["SERVICEDESK_SECRET", "SERVICEDESK_QUEUE_KEY", "SERVICEDESK_LOG_FILE", "SERVICEDESK_REDIS_URL"])
    func `a control character at either end is refused`(name: String) {
        for (byte, code) in [(0x0D, "0D"), (0x0A, "0A"), (0x09, "09"), (0x01, "01"), (0x7F, "7F")] as [(UInt8, String)]
        {
            let text = utf8(secret)
            #expect(faults(of: name, text + [byte]) == ["\(name) ends with the control character 0x\(code): remove it"])
            #expect(
                faults(of: name, [byte] + text) == ["\(name) begins with the control character 0x\(code): remove it"])
        }
    }

    @Test func `all faults are reported at once, and no secret is shown`() {
        let environment = [
            "SERVICEDESK_SECRET": "hunter2", "SERVICEDESK_REDIS_URL": "redis://:hunter2@h:0",
            "SERVICEDESK_MAX_BODY": "0", "SERVICEDESK_REDIS_TIMEOUT": "soon", "SERVICEDESK_LOG_LEVEL": "loud",
            "SERVICEDESK_REDIS_WAIT": "1", "SERVICEDESK_RUNTIME_DIR": "/no/such/directory",
        ]
        let lines = faults(environment)
        #expect(lines.count == environment.count)
        for name in environment.keys { #expect(lines.count { $0.hasPrefix("\(name) ") } == 1, "\(name)") }
        #expect(!lines.joined().contains("hunter2"))
    }

    @Test func `a faulty value is shown shortened and on one line`() {
        let lines = faults(["SERVICEDESK_MAX_BODY": "1\n2\u{7f}\u{1b}[31m" + String(repeating: "x", count: 100)])
        #expect(lines.count == 1 && lines[0].contains("\"1?2??[31m" + String(repeating: "x", count: 31) + "…\""))
    }

    @Test func `an unknown SERVICEDESK variable is reported`() throws {
        let settings = try settings([
            "SERVICEDESK_QUEUE": "x", "SERVICEDESK_ZZZ": "", "SERVICEDESK_PROGRAM": "x", "SERVICEDESK_RATE": "1",
            "servicedesk_secret": "x", "PATH": "/bin",
        ])
        #expect(settings.unknownVariables == ["SERVICEDESK_QUEUE", "SERVICEDESK_ZZZ"])
    }
}
