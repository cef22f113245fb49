import CLinux
import Glibc
import TestSupport
import Testing

@testable import System

/// Replacing a file as a whole.
struct FileReplacementTests {
    private let directory = TemporaryDirectory()
    private var path: String { "\(directory.path)/file" }
    private var hidden: String { "\(directory.path)/.file.edit" }

    private func replace(_ content: String, at path: String) throws {
        let replacement = try FileReplacement(of: path, waitingUntil: .now)
        try replacement.prepare(utf8(content).span)
        let doubt = try replacement.commit()
        #expect(doubt == nil)
    }

    private func content(_ path: String) throws -> String { try readFile(path, limit: 1000).text }

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func `a new file is for its owner alone, and an old one keeps its mode`() throws {
        let mask = umask(0)
        defer { umask(mask) }
        try replace("one", at: path)
        #expect(mode(path) == 0o600)
        unsafe chmod(path, 0o640)
        try replace("three", at: path)
        #expect(try content(path) == "three" && mode(path) == 0o640)
        #expect(unsafe access(hidden, F_OK) != 0)
    }

    @Test func `the old content stays until the end, and a replacement that is given up leaves nothing`() throws {
        try replace("old", at: path)
        do {
            let replacement = try FileReplacement(of: path, waitingUntil: .now)
            try replacement.prepare(utf8("new").span)
            #expect(try content(path) == "old" && mode(hidden) == 0o600)
        }
        #expect(try content(path) == "old")
        #expect(unsafe access(hidden, F_OK) != 0)
    }

    @Test func `a second replacement waits for the first, and fails at its deadline`() throws {
        let first = try FileReplacement(of: path, waitingUntil: .now)
        #expect(throws: FileReplacementFailure.self) {
            _ = try FileReplacement(of: path, waitingUntil: .now + .milliseconds(20))
        }
        try first.prepare(utf8("first").span)
        let doubt = try first.commit()
        #expect(doubt == nil)
        try replace("second", at: path)
        #expect(try content(path) == "second")
    }

    @Test func `what a killed process has left is used again, and none of it stays`() throws {
        let number = unsafe open(hidden, O_WRONLY | O_CREAT, 0o644)
        let left = Descriptor(owning: number)
        #expect(left.write(utf8("a long text that was left behind").span) == .bytes(32))
        try replace("new", at: path)
        #expect(try content(path) == "new" && mode(path) == 0o600)
    }

    @Test func `a file with another name, or a link, in the place of the hidden file is not written to`() throws {
        try replace("precious", at: "\(directory.path)/other")
        unsafe link("\(directory.path)/other", hidden)
        #expect(throws: FileReplacementFailure.self) { try replace("new", at: path) }
        unsafe unlink(hidden)
        unsafe symlink("other", hidden)
        #expect(throws: FileReplacementFailure.self) { try replace("new", at: path) }
        #expect(try content("\(directory.path)/other") == "precious")
    }

    @Test func `a symbolic link stays, and the file that it leads to is replaced`() throws {
        try replace("old", at: path)
        let link = "\(directory.path)/link"
        unsafe symlink("file", link)
        try replace("new", at: link)
        #expect(try content(path) == "new")
        var status = stat()
        #expect(unsafe lstat(link, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    }

    @Test func `a file may have the rights of another`() throws {
        try replace("old", at: path)
        unsafe chmod(path, 0o440)
        let replacement = try FileReplacement(of: "\(path).new", rightsOf: path, waitingUntil: .now)
        let isFirst = replacement.isFirst
        #expect(isFirst)
        try replacement.prepare(utf8("new").span)
        let doubt = try replacement.commit()
        #expect(doubt == nil)
        #expect(mode("\(path).new") == 0o440)
    }

    /// An access list with which one further user may read what the group may, as the extended attribute has it.
    private var listWithFurtherUser: [UInt8] {
        let everybody = UInt32.max
        let entries: [(tag: UInt16, rights: UInt16, id: UInt32)] = [
            (1, 6, everybody), (2, 4, 65_533), (4, 4, everybody), (16, 4, everybody), (32, 0, everybody),
        ]
        func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
            (0..<(number.bitWidth / 8)).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        }
        return bytes(UInt32(2)) + entries.flatMap { bytes($0.tag) + bytes($0.rights) + bytes($0.id) }
    }

    @Test func `an access list of the directory lets nobody read a file that had none`() throws {
        try replace("old", at: path)
        unsafe chmod(path, 0o640)
        let list = listWithFurtherUser
        let result = unsafe setxattr(directory.path, "system.posix_acl_default", list, list.count, 0)
        try #require(result == 0 || errno == ENOTSUP)
        try replace("new", at: path)
        #expect(unsafe getxattr(path, "system.posix_acl_access", nil, 0) == -1)
        #expect(mode(path) == 0o640)
    }
}
