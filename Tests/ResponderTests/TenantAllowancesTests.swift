import Glibc
import Synchronization
import System
import TestSupport
import Testing
import Webhook

@testable import Responder

/// What tenants have left, shared by processes or not.
struct TenantAllowancesTests {
    private static let limit = RateLimit(thousandths: 1000, burst: 4)!
    private let directory = TemporaryDirectory()
    private let clock = Clock()

    /// Moved by the test.
    private final class Clock: Sendable {
        let nanoseconds = Atomic<UInt64>(1_000_000_000_000)
        func move(_ seconds: UInt64) { nanoseconds.add(seconds * 1_000_000_000, ordering: .relaxed) }
    }

    /// Tenants t0, t1, …, in this order or reversed.
    private func table(_ count: Int, reversed: Bool = false, limit: String = #""limit":{"per_second":1,"burst":4},"#)
        throws -> TenantTable
    {
        let numbers = reversed ? Array((0..<count).reversed()) : Array(0..<count)
        let tenants = numbers.map {
            #"{"id":"t\#($0)","keys":[{"id":"1","mode":"servicedesk","secret":"a-secret-of-thirty-two-bytes-for-\#($0)"}]}"#
        }
        return try TenantsJSON.parse(utf8(#"{\#(limit)"tenants":[\#(tenants.joined(separator: ","))]}"#).span) { _ in
            .failure(SecretReadFault(description: ""))
        }
    }

    private func allowances(
        _ table: TenantTable, in directory: String?, slots: Int = 8
    ) throws -> TenantAllowances {
        let layout = SlotFile.Layout(file: TenantAllowances.layout.file, slots: slots, words: 1)
        let clock = clock
        return try #require(
            TenantAllowances(of: table, directory: directory, layout: layout) {
                clock.nanoseconds.load(ordering: .relaxed)
            })
    }

    /// How many of ten requests pass now.
    private func passing(_ allowances: TenantAllowances, _ tenant: Int) -> Int {
        (0..<10).count { _ in allowances.take(of: tenant, within: Self.limit) == nil }
    }

    @Test func `processes share what a tenant has left, wherever it stands in their files`() throws {
        let one = try allowances(try table(3), in: directory.path)
        let other = try allowances(try table(3, reversed: true), in: directory.path)
        #expect(one.fault == nil && other.fault == nil)
        #expect(one.take(of: 0, within: Self.limit) == nil && other.take(of: 2, within: Self.limit) == nil)
        #expect(passing(one, 0) == 2 && passing(other, 2) == 0)
        #expect(passing(other, 0) == 4, "another tenant")
        clock.move(2)
        #expect(passing(other, 2) == 2 && passing(one, 0) == 0)
        #expect(one.take(of: 0, within: Self.limit) == 1_000_000_000)
        let restarted = try allowances(try table(3), in: directory.path)
        #expect(passing(restarted, 0) == 0)
    }

    @Test func `without limits there is no file`() throws {
        #expect(TenantAllowances(of: try table(2, limit: ""), directory: directory.path) == nil)
        #expect(unsafe access("\(directory.path)/limits-1", F_OK) != 0)
    }

    @Test func `without a directory, or with none of use, a process limits for itself`() throws {
        let (one, other) = (try allowances(try table(2), in: nil), try allowances(try table(2), in: nil))
        #expect(one.fault == .noDirectory)
        #expect(passing(one, 0) == 4 && passing(one, 0) == 0 && passing(one, 1) == 4 && passing(other, 0) == 4)
        clock.move(1)
        #expect(passing(one, 0) == 1)
        let lost = try allowances(try table(2), in: "\(directory.path)/none")
        #expect(lost.fault == .noFile("open: No such file or directory"))
        #expect(passing(lost, 0) == 4 && passing(lost, 0) == 0)
    }

    @Test func `a tenant without room in the file is limited by each process, the others by all`() throws {
        let one = try allowances(try table(10), in: directory.path)
        let other = try allowances(try table(10), in: directory.path)
        #expect(one.fault == .full(2) && other.fault == .full(2))
        #expect((0..<10).map { passing(one, $0) } == Array(repeating: 4, count: 10))
        #expect((0..<10).map { passing(other, $0) } == Array(repeating: 0, count: 8) + [4, 4])
    }

    @Test func `a lock that somebody keeps stops no process, and a truncated file none`() throws {
        let first = try allowances(try table(1), in: directory.path)
        let number = unsafe open("\(directory.path)/limits-1", O_RDWR)
        defer { close(number) }
        try #require(flock(number, LOCK_EX) == 0)
        let second = try allowances(try table(2), in: directory.path)
        #expect(second.fault?.text.contains("limits tenants for itself") == true)
        #expect(passing(first, 0) == 4 && passing(second, 0) == 4 && passing(second, 0) == 0)
        flock(number, LOCK_UN)
        #expect(!first.isFileLost)
        unsafe truncate("\(directory.path)/limits-1", 0)
        #expect(passing(first, 0) == 4 && first.isFileLost && passing(first, 0) == 0)
    }

    @Test func `a tenant whose slot was given to another is limited by this process alone`() throws {
        let old = try allowances(try table(8), in: directory.path)
        for tenant in 0..<7 { #expect(passing(old, tenant) == 4) }
        // Of the old tenants t7 has been idle the longest.
        let new = try allowances(
            try TenantsJSON.parse(
                utf8(
                    #"{"limit":{"per_second":1,"burst":4},"tenants":[{"id":"new","keys":[{"id":"1","mode":"servicedesk","secret":"a-secret-of-thirty-two-bytes-of-a-new-one"}]}]}"#
                ).span
            ) { _ in .failure(SecretReadFault(description: "")) }, in: directory.path)
        #expect(new.fault == nil)
        #expect(passing(old, 7) == 4 && passing(old, 7) == 0)
        #expect(passing(new, 0) == 4)
    }

    @Test func `100,000 tenants have room, and finding it takes a moment`() throws {
        let table = try table(100_000)
        let start = Instant.now
        let one = try #require(TenantAllowances(of: table, directory: directory.path))
        let other = try #require(TenantAllowances(of: table, directory: directory.path))
        #expect(one.fault == nil && other.fault == nil)
        #expect(passing(one, 99_999) == 4 && passing(other, 99_999) == 0)
        #expect(Instant.now.since(start) < 60_000_000_000)
    }
}
