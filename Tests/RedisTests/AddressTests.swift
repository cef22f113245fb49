import Testing

@testable import Redis

@Suite struct AddressTests {
    @Test func everyFormIsUnderstood() throws {
        let plain = try Address("redis://cache")
        #expect(plain.endpoint == .tcp(host: "cache", port: 6379) && plain.database == 0 && plain.password == nil)
        let full = try Address("redis://bob:p%40ss@[::1]:7000/3")
        #expect(full.endpoint == .tcp(host: "::1", port: 7000) && full.database == 3)
        #expect(full.user == "bob" && full.password == "p@ss")
        #expect(try Address("redis://:secret@h").user == nil)
        let unix = try Address("unix:///run/redis.sock?db=5")
        #expect(unix.endpoint == .unix(path: "/run/redis.sock") && unix.database == 5)
        #expect(full.description == "[::1]:7000" && unix.description == "/run/redis.sock")
    }

    @Test(arguments: [
        "", "localhost", "rediss://:hunter2@h", "http://:hunter2@h", "redis://", "redis://:hunter2@h:0",
        "redis://:hunter2@h:99999", "redis://:hunter2@h/x", "redis://hunter2@h", "unix://:hunter2@relative",
        "unix://:hunter2@/x?nb=1", "redis://:hunter2%zz@h", "redis://:hunter2@[::1",
        "unix:///" + String(repeating: "x", count: 120),
    ])
    func aFaultNeverTellsThePassword(url: String) {
        #expect {
            _ = try Address(url)
        } throws: { error in
            let text = "\(error)"
            return !text.isEmpty && !text.contains("hunter2")
        }
    }
}
