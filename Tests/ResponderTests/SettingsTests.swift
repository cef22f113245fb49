import EventLoop
import FastCGI
import Redis
import TestSupport
import Testing

@testable import servicedesk_responder

@Suite struct SettingsTests {
    private let secret = String(repeating: "s", count: 32)

    private func faults(_ environment: [String: String]) -> [String] {
        do throws(Settings.Faults) {
            _ = try Settings(environment)
            return []
        } catch {
            return error.lines
        }
    }

    @Test func theDefaultsAreThoseOfTheReadme() throws {
        let settings = try Settings(["SERVICEDESK_SECRET": secret])
        #expect(settings.pool.queue == "enhancement:queue" && settings.pool.maxConnections == 10)
        #expect(settings.pool.attempts == 3 && settings.pool.retryDelay == .seconds(1))
        #expect(settings.pool.pushDeadline == .seconds(8) && settings.pool.maxPending == 4096)
        #expect(settings.pool.window == 86_400 && settings.pool.maxDepth == 0 && settings.pool.waitReplicas == 0)
        #expect(settings.server.body == 131_072 && settings.server.request == .seconds(5))
        #expect(settings.logLevel == .info && settings.logFormat == .json && settings.logFile == nil)
        #expect(settings.pool.address.description == "127.0.0.1:6379")
    }

    @Test func everyFaultIsToldAtOnceAndNoSecret() {
        let lines = faults([
            "SERVICEDESK_SECRET": "hunter2", "SERVICEDESK_REDIS_URL": "redis://:hunter2@h:0",
            "SERVICEDESK_MAX_BODY": "0", "SERVICEDESK_REDIS_TIMEOUT": "soon", "SERVICEDESK_LOG_LEVEL": "loud",
            "SERVICEDESK_REDIS_WAIT": "1", "SERVICEDESK_RUNTIME_DIR": "/no/such/directory",
        ])
        let names = [
            "SERVICEDESK_SECRET", "SERVICEDESK_REDIS_URL", "SERVICEDESK_MAX_BODY", "SERVICEDESK_REDIS_TIMEOUT",
            "SERVICEDESK_LOG_LEVEL", "SERVICEDESK_REDIS_WAIT", "SERVICEDESK_RUNTIME_DIR",
        ]
        #expect(lines.count == names.count)
        for name in names { #expect(lines.contains { $0.hasPrefix(name + " ") }) }
        #expect(!lines.joined().contains("hunter2"))
    }

    @Test func oneKindOfSecretIsNeededAndNotTwo() {
        #expect(faults([:]).count == 1)
        #expect(faults(["SERVICEDESK_SECRET": secret, "SERVICEDESK_TENANTS_FILE": "/dev/null"]).count == 1)
        #expect(faults(["SERVICEDESK_TENANTS_FILE": "/no/such/file"]).count == 1)
    }

    @Test func aMisspeltSettingIsTold() throws {
        let settings = try Settings(["SERVICEDESK_SECRET": secret, "SERVICEDESK_QUEUE": "x"])
        #expect(settings.unknownVariables == ["SERVICEDESK_QUEUE"])
    }
}

@Suite struct PoolQueueTests {
    @Test func aMarkTellsRepeatsFromConflicts() {
        let id = utf8("00000000-0000-4000-8000-000000000001")
        let other = utf8("00000000-0000-4000-8000-000000000002")
        let mine = PoolQueue.markValue(id: id, digest: .init(repeating: 1))
        #expect(mine.count == 101)
        #expect(PoolQueue.compare(found: mine, mine: mine) == .same)
        let first = PoolQueue.markValue(id: other, digest: .init(repeating: 1))
        #expect(PoolQueue.compare(found: first, mine: mine) == .repeated(jobID: other))
        let foreign = PoolQueue.markValue(id: other, digest: .init(repeating: 2))
        #expect(PoolQueue.compare(found: foreign, mine: mine) == .conflict)
        #expect(PoolQueue.compare(found: utf8("junk"), mine: mine) == .conflict)
    }
}
