import Glibc
import JSON
import System
import TestSupport
import Testing
import Webhook

@testable import Tenants

/// Editing the tenants file on the disk.
struct TenantsStoreTests {
    private let directory = TemporaryDirectory()
    private var path: String { "\(directory.path)/tenants.json" }
    private var store: TenantsStore { TenantsStore(path: path) }

    private func write(_ text: String, to name: String = "tenants.json") throws {
        let number = unsafe open("\(directory.path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let file = Descriptor(owning: number)
        #expect(file.write(utf8(text).span) == .bytes(text.utf8.count))
    }

    private func content() throws -> String { try readFile(path, limit: 100_000).text }

    private func add(_ id: String, secret: String? = nil) throws {
        let secret = secret ?? "a-secret-of-thirty-two-bytes-and-\(id)"
        let key = KeyTemplate(mode: "servicedesk", parameters: []).key(id: "1", NewSecret(text: secret))
        _ = try store.edit(creating: true) {
            try $0.add(.tenant, id, keys: [key])
        } announce: {
        }
    }

    private func fault(_ edit: () throws -> Void) -> String? {
        do {
            try edit()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func `a result with a fault is not written, and the fault is told with its place`() throws {
        try add("acme")
        let before = try content()
        #expect(
            fault { try add("NO") }
                == "nothing was changed, since \(path) would have faults: tenants[1].id: expected 1 to 100 of a-z, 0-9 and -"
        )
        #expect(
            fault { try add("b", secret: "short") }?.contains("tenants[1].keys[0].secret: expected at least 32") == true
        )
        #expect(
            fault { try add("b", secret: "a-secret-of-thirty-two-bytes-and-acme") }?
                .contains("tenants[1].keys[0]: its secret is one of tenants[0], too") == true)
        #expect(try content() == before)
    }

    @Test(arguments: [
        (#"{"tenants":[],"colour":1}"#, "colour: unknown member"), (#"{"tenants":"x"}"#, "tenants: expected an array"),
        (#"{"tenants":[{"id":"a"},{"id":"a"}]}"#, "tenants[1].id: the same as tenants[0].id"),
        (#"{"tenants":[{"id":"a","keys":null}]}"#, "tenants[0].keys: expected an array"),
        (#"{"tenants":[}"#, "unexpected byte in line 1"),
    ])
    func `a file with a fault is not edited`(text: String, expected: String) throws {
        try write(text)
        #expect(fault { try add("acme") }?.hasPrefix("\(path) has faults: mend them first: ") == true)
        #expect(fault { try add("acme") }?.contains(expected) == true)
        #expect(try content() == text)
    }

    @Test func `secrets in files are found beside the tenants file`() throws {
        try write(#"{"tenants":[{"id":"a","keys":[{"id":"1","mode":"servicedesk","secret_file":"a.key"}]}]}"#)
        #expect(fault { try add("b") }?.contains("tenants[0].keys[0].secret_file: cannot be read") == true)
        try write("the-secret-of-a-in-a-file-of-its-own\r", to: "a.key")
        #expect(fault { try add("b") }?.contains("secret_file: ends with the control character 0x0D") == true)
        try write("the-secret-of-a-in-a-file-of-its-own\n", to: "a.key")
        try add("b")
        #expect(try store.read().document.owners(.tenant).map(\.id) == ["a", "b"])
    }

    @Test func `an announcement that fails leaves the old file, and nothing beside it`() throws {
        try add("acme")
        let before = try content()
        #expect(
            fault {
                _ = try store.edit {
                    $0 = TenantsDocument(root: try JSONTree(utf8(before).span))
                } announce: {
                    throw EditRefusal("no room")
                }
            } == "no room")
        #expect(try content() == before)
        #expect(unsafe access("\(directory.path)/.tenants.json.edit", F_OK) != 0)
    }

    @Test func `the digest is that of the file's bytes`() throws {
        try add("acme")
        #expect(try store.digest() == TenantTable.fileDigest(of: utf8(try content()).span))
    }
}
