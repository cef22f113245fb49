import Glibc
import Redis
import System
import TestSupport
import Testing
import Webhook

@testable import Responder

struct SecretSettingsTests {
    @Test func `a secret has at least 32 bytes`() throws {
        let lines = faults(["SERVICEDESK_SECRET": String(repeating: "k", count: 31)])
        #expect(lines.count == 1 && lines[0].hasPrefix("SERVICEDESK_SECRET has 31 bytes: expected at least 32"))
        // Bytes, not characters.
        #expect(faults(["SERVICEDESK_SECRET": String(repeating: "é", count: 16)]) == [])
    }

    @Test func `exactly one of a shared secret and a tenants file is required`() {
        let none = faults([:], hasSecret: false)
        #expect(none.count == 1 && none[0].hasPrefix("SERVICEDESK_SECRET is not set"))
        #expect(none.first?.contains("SERVICEDESK_TENANTS_FILE") == true && none.first?.contains("32 bytes") == true)
        #expect(faults(["SERVICEDESK_SECRET": ""]) == none, "an empty value counts as not set")
        let both = faults(["SERVICEDESK_TENANTS_FILE": "/dev/null"])
        #expect(both == ["SERVICEDESK_SECRET and SERVICEDESK_TENANTS_FILE are both set: set only one"])
    }

    @Test func `a tenants file is read`() throws {
        let directory = TemporaryDirectory()
        let path = try write("acme \(secret)\n# comment\nother \(secret) \(secret)2\n", in: directory)
        var settings = try Settings(["SERVICEDESK_TENANTS_FILE": utf8(path)])
        #expect(settings.secretSource == .tenants(path: path))
        #expect(settings.takeSecrets().arePerTenant)
    }

    @Test func `faults in a tenants file name lines, never their content`() throws {
        let directory = TemporaryDirectory()
        let path = try write(String(repeating: "Hunter hunter2\n", count: 8), in: directory)
        let lines = faults(["SERVICEDESK_TENANTS_FILE": path], hasSecret: false)
        try #require(lines.count == 1)
        #expect(lines[0].hasPrefix("SERVICEDESK_TENANTS_FILE: \(path): line 1: "))
        #expect(
            lines[0].contains("line 5") && !lines[0].contains("line 6") && lines[0].hasSuffix("; and 3 more faults"))
        #expect(!lines[0].contains("hunter2") && !lines[0].contains("Hunter"))
    }

    @Test func `a tenants file that cannot be read is refused`() {
        let lines = faults(["SERVICEDESK_TENANTS_FILE": "/no/such/file"], hasSecret: false)
        let told = "/no/such/file cannot be read (open: No such file or directory)"
        #expect(lines == ["SERVICEDESK_TENANTS_FILE: \(told)"])
    }

    @Test func `a file that others can read, or its group can write, is refused`() throws {
        let directory = TemporaryDirectory()
        let path = try write("acme \(secret)\n", in: directory)
        for mode: mode_t in [0o600, 0o640, 0o400, 0o440, 0o700] {
            try #require(unsafe chmod(path, mode) == 0)
            #expect(faults(["SERVICEDESK_TENANTS_FILE": path], hasSecret: false) == [])
        }
        for mode: mode_t in [0o644, 0o660, 0o604, 0o602, 0o666] {
            try #require(unsafe chmod(path, mode) == 0)
            let lines = faults(["SERVICEDESK_TENANTS_FILE": path], hasSecret: false)
            #expect(lines.count == 1 && lines[0].contains("(mode 0\(String(mode, radix: 8))): chmod 640 it"))
        }
    }

    @Test func `a directory or FIFO is refused, and not waited for`() throws {
        let directory = TemporaryDirectory()
        let fifo = "\(directory.path)/fifo"
        try #require(unsafe mkfifo(fifo, 0o600) == 0)
        for path in [fifo, directory.path, "/dev/null"] {
            let lines = faults(["SERVICEDESK_TENANTS_FILE": path], hasSecret: false)
            #expect(lines == ["SERVICEDESK_TENANTS_FILE: \(path) is not a regular file"])
        }
    }

    @Test func `a secret may be in a file, without the line feed at its end`() throws {
        let directory = TemporaryDirectory()
        for content in [secret, secret + "\n"] {
            let path = try write(content, in: directory)
            var settings = try Settings(["SERVICEDESK_SECRET_FILE": utf8(path)])
            #expect(settings.secretSource == .file(path: path))
            let body = utf8("{}")
            let tag = Authenticator(key: utf8(secret).span).tag(of: body.span)
            var secrets = settings.takeSecrets()
            let verdict = secrets.check(tag, of: body.span)
            #expect(verdict == .accepted(key: nil))
            unsafe unlink(path)
        }
    }

    @Test(arguments: ["SERVICEDESK_SECRET_FILE", "SERVICEDESK_REDIS_PASSWORD_FILE"])
    func `a file for a secret is checked as the tenants file is`(name: String) throws {
        let directory = TemporaryDirectory()
        let hasSecret = name != "SERVICEDESK_SECRET_FILE"
        func lines(_ path: String) -> [String] { faults([name: path], hasSecret: hasSecret) }
        #expect(lines("/no/such/file") == ["\(name): /no/such/file cannot be read (open: No such file or directory)"])
        #expect(lines("/dev/null") == ["\(name): /dev/null is not a regular file"])
        let path = try write(secret + "\n", in: directory)
        try #require(unsafe chmod(path, 0o644) == 0)
        #expect(lines(path).count == 1 && lines(path)[0].contains("(mode 0644): chmod 640 it"))
        for (content, told) in [
            ("", "is empty"), ("\n", "is empty"), (secret + "\r\n", "ends with the control character 0x0D: remove it"),
            (secret + "\n\n", "ends with the control character 0x0A: remove it"),
        ] {
            unsafe unlink(path)
            _ = try write(content, in: directory)
            let lines = lines(path)
            #expect(lines.count == 1 && lines[0].hasPrefix("\(name): \(path) ") && lines[0].hasSuffix(told), "\(lines)")
            #expect(!lines.joined().contains("sss"))
        }
    }

    @Test func `a secret in a file has at least 32 bytes, and a password is UTF-8`() throws {
        let directory = TemporaryDirectory()
        let path = try write("short\n", in: directory)
        let short = faults(["SERVICEDESK_SECRET_FILE": path], hasSecret: false)
        #expect(
            short.count == 1 && short[0].hasPrefix("SERVICEDESK_SECRET_FILE: \(path) has 5 bytes: expected at least 32")
        )
        #expect(!short[0].contains("short"))
        let other = "\(directory.path)/password"
        try #require(try Descriptor.append(to: other).write([0x70, 0xFF].span) == .bytes(2))
        #expect(
            faults(["SERVICEDESK_REDIS_PASSWORD_FILE": other]) == [
                "SERVICEDESK_REDIS_PASSWORD_FILE: \(other) is not valid UTF-8"
            ])
    }

    @Test func `of several sources of secrets only one may be set`() throws {
        let names = ["SERVICEDESK_SECRET", "SERVICEDESK_SECRET_FILE", "SERVICEDESK_TENANTS_FILE"]
        let values = [secret, "/a", "/b"]
        for chosen in [[0, 1], [0, 2], [1, 2], [0, 1, 2]] {
            let environment = Dictionary(uniqueKeysWithValues: chosen.map { (names[$0], values[$0]) })
            let set = chosen.map { names[$0] }.joined(separator: " and ")
            let lines = faults(environment, hasSecret: false)
            #expect(lines == ["\(set) are \(chosen.count == 2 ? "both" : "all") set: set only one"])
        }
    }

    @Test func `Redis' password may be in a file, with a user in the URL or none`() throws {
        let directory = TemporaryDirectory()
        let path = try write("p@ss:word/%41\n", in: directory)
        for (url, user) in [("redis://h", nil), ("redis://joe@h/2", "joe"), ("unix://joe@/s", "joe")] {
            let settings = try settings(["SERVICEDESK_REDIS_URL": url, "SERVICEDESK_REDIS_PASSWORD_FILE": path])
            #expect(settings.redis.password == "p@ss:word/%41" && settings.redis.user == user)
            #expect(settings.redisPasswordFile == path)
        }
        let both = faults(["SERVICEDESK_REDIS_URL": "redis://u:p@h", "SERVICEDESK_REDIS_PASSWORD_FILE": path])
        #expect(both == ["SERVICEDESK_REDIS_URL has a password although there is a password file: set only one"])
    }

    private func write(_ text: String, in directory: TemporaryDirectory) throws -> String {
        let path = "\(directory.path)/tenants"
        let file = try Descriptor.append(to: path)
        if !text.isEmpty { try #require(file.write(utf8(text).span) == .bytes(text.utf8.count)) }
        return path
    }
}

extension Secrets {
    /// Checks a request with a tag in `X-ServiceDesk-Signature`.
    mutating func check(_ tag: InlineArray<32, UInt8>, of body: Span<UInt8>) -> Verdict {
        var digits: [UInt8] = []
        digits.append(hex: tag)
        var credentials = CredentialHeaders()
        credentials.take(utf8("HTTP_X_SERVICEDESK_SIGNATURE").span, digits.span, headers: headers)
        return check(credentials, of: body, from: Claimant(), at: 0)
    }
}
