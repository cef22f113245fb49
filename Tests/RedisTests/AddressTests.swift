import TestSupport
import Testing

@testable import Delivery
@testable import Redis

struct AddressTests {
    struct Row: CustomTestStringConvertible {
        let url: String
        let endpoint: Endpoint
        var database = 0
        var user: String?
        var password: String?
        var shown = ""
        var testDescription: String { url }
    }

    static let accepted = [
        Row(url: "redis://127.0.0.1:6379/0", endpoint: .tcp(host: "127.0.0.1", port: 6379), shown: "127.0.0.1:6379"),
        Row(
            url: "redis://redis.example", endpoint: .tcp(host: "redis.example", port: 6379), shown: "redis.example:6379"
        ),
        Row(url: "REDIS://h:1/", endpoint: .tcp(host: "h", port: 1), shown: "h:1"),
        Row(url: "redis://h:65535/65535", endpoint: .tcp(host: "h", port: 65535), database: 65535, shown: "h:65535"),
        Row(url: "redis://[::1]", endpoint: .tcp(host: "::1", port: 6379), shown: "[::1]:6379"),
        Row(
            url: "redis://[fe80::1]:7000/2", endpoint: .tcp(host: "fe80::1", port: 7000), database: 2,
            shown: "[fe80::1]:7000"),
        Row(url: "redis://:p@h", endpoint: .tcp(host: "h", port: 6379), password: "p", shown: "h:6379"),
        Row(url: "redis://u:p@h", endpoint: .tcp(host: "h", port: 6379), user: "u", password: "p", shown: "h:6379"),
        Row(
            url: "redis://j%6fe:%40%2F%3a%25%C3%A9@h:1/1", endpoint: .tcp(host: "h", port: 1), database: 1, user: "joe",
            password: "@/:%é", shown: "h:1"),
        Row(
            url: "redis://u:a:b@c@h", endpoint: .tcp(host: "h", port: 6379), user: "u", password: "a:b@c",
            shown: "h:6379"),
        Row(url: "unix:///run/redis.sock", endpoint: .unix(path: "/run/redis.sock"), shown: "/run/redis.sock"),
        Row(url: "unix:///a%20b?db=7", endpoint: .unix(path: "/a b"), database: 7, shown: "/a b"),
        Row(url: "unix:///a@b:c", endpoint: .unix(path: "/a@b:c"), shown: "/a@b:c"),
        Row(url: "unix://u:p@/s?db=0", endpoint: .unix(path: "/s"), user: "u", password: "p", shown: "/s"),
        Row(
            url: "unix:///\(String(repeating: "x", count: 106))",
            endpoint: .unix(path: "/" + String(repeating: "x", count: 106)),
            shown: "/" + String(repeating: "x", count: 106)),
    ]

    @Test func `a password that is kept elsewhere takes the place of the URL's`() throws {
        let address = try Address("redis://u@h:1/2", password: "p@/")
        #expect(address.user == "u" && address.password == "p@/" && address.database == 2)
        #expect(try Address("unix:///s", password: "p").password == "p")
        #expect(throws: AddressFault.self) { try Address("redis://u:p@h", password: "p") }
    }

    @Test func `with rediss the server must prove to be the host of the URL, and so must another node`() throws {
        let address = try Address("RedisS://u:p@redis.example:1/2")
        #expect(address.endpoint == .tcp(host: "redis.example", port: 1) && address.database == 2)
        #expect(address.tlsServer == TLSServer(name: "redis.example", isAddress: false))
        #expect(try Address("rediss://10.0.0.1").tlsServer == TLSServer(name: "10.0.0.1", isAddress: true))
        #expect(try Address("rediss://127.1").tlsServer == TLSServer(name: "127.0.0.1", isAddress: true))
        #expect(try Address("rediss://redis.example.").tlsServer == TLSServer(name: "redis.example", isAddress: false))
        #expect(try Address("rediss://[::1]:7000").tlsServer == TLSServer(name: "::1", isAddress: true))
        let node = Address(.tcp(host: "10.0.0.2", port: 3), like: address.with(tls: TLSFiles(authorities: "ca")))
        #expect(node.tlsServer == TLSServer(name: "10.0.0.2", isAddress: true) && node.tls?.authorities == "ca")
        #expect(try Address("redis://h").with(tls: TLSFiles(authorities: "ca")).tlsServer == nil)
        #expect(try Address("unix:///s").tlsServer == nil)
    }

    @Test(arguments: accepted)
    func `a URL is parsed`(row: Row) throws {
        let address = try Address(row.url)
        #expect(address.endpoint == row.endpoint && address.database == row.database)
        #expect(address.user == row.user && address.password == row.password)
        #expect(address.description == row.shown)
        if let password = row.password { #expect(!"\(address)".contains(password + "@")) }
    }

    @Test(arguments: [
        ("", "not a URL"), ("localhost:6379", "not a URL"), ("redis:/h", "not a URL"), ("http://h", "scheme"),
        ("redisss://h", "scheme"), ("rediss://", "host"), ("rediss://h?db=3", "redis://host:port/db"),
        ("redis://", "host"), ("redis:///0", "host"), ("redis://:6379", "host"), ("redis://::1", "host"),
        ("redis://\(String(repeating: "x", count: 254))", "host"),
        ("redis://h:", "port"), ("redis://h:0", "port"), ("redis://h:65536", "port"), ("redis://h:x", "port"),
        ("redis://h:+1", "port"), ("redis://h:-1", "port"), ("redis://h:1 ", "port"), ("redis://h:1:2", "port"),
        ("redis://[::1", "]"), ("redis://[::1]6379", "]"),
        ("redis://h/x", "database"), ("redis://h/-1", "database"), ("redis://h/+1", "database"),
        ("redis://h/65536", "database"),
        ("redis://h/0/1", "database"), ("redis://h/0?db=1", "redis://host:port/db"),
        ("redis://h?db=3", "redis://host:port/db"), ("redis://h:6379?db=3", "redis://host:port/db"),
        ("redis://h#3", "redis://host:port/db"),
        ("redis://u@h", "password"), ("redis://u:@h", "password"), ("redis://@h", "password"),
        ("redis://u:%@h", "%"), ("redis://u:%4@h", "%"), ("redis://u:%4g@h", "%"), ("redis://u:%+f@h", "%"),
        ("redis://u:%ff@h", "UTF-8"),
        ("unix://path", "absolute"), ("unix://", "absolute"), ("unix:///a%00b", "absolute"),
        ("unix:///\(String(repeating: "x", count: 107))", "107"),
        ("unix:///s?x=1", "query"), ("unix:///s?", "query"), ("unix:///s?db=", "database"),
        ("unix:///s?db=-1", "database"),
    ])
    func `a URL that cannot be meant is refused with the reason`(url: String, word: String) {
        #expect(fault(of: url)?.contains(word) == true, "\(fault(of: url) ?? "accepted")")
    }

    @Test(arguments: [
        "redis://u:hunter2@", "redis://u:hunter2@h:x", "redis://u:hunter2@h/x", "redis://u:hunter2@[::1",
        "redis://u:hunter2%@h",
        "redis://u:hunter2%ff@h", "unix://u:hunter2@path", "unix://u:hunter2@/p?x", "http://u:hunter2@h", "hunter2",
        "redis://u:hun/ter2:hunter2@h", "redis://hunter2@h", "redis://u:hunter2/hunter2@h",
    ])
    func `no fault repeats the password`(url: String) {
        #expect(fault(of: url)?.contains("hunter2") == false)
    }

    private func fault(of url: String) -> String? {
        do throws(AddressFault) {
            _ = try Address(url)
            return nil
        } catch {
            return error.description
        }
    }
}
