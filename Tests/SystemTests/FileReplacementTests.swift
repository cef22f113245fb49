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
        try replacement.commit()
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
        try first.commit()
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
        try replacement.commit()
        #expect(mode("\(path).new") == 0o440)
    }
}
