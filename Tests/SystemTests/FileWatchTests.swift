import Glibc
import Testing

@testable import System

/// Finding out that a file has changed.
struct FileWatchTests {
    private let path = "/tmp/file-watch-\(getpid())-\(UInt64.random(in: 0 ... .max))"

    private func write(_ text: String) throws {
        let number = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(number >= 0)
        defer { close(number) }
        try #require(unsafe Glibc.write(number, text, text.utf8.count) == text.utf8.count)
    }

    /// #expect cannot call a mutating method.
    private func look(_ watch: inout FileWatch) -> Bool { watch.look() }

    @Test func `a change is found once, when it is the same at two looks`() throws {
        try write("a")
        defer { unsafe unlink(path) }
        var watch = FileWatch(path)
        #expect(!look(&watch))
        try write("ab")
        #expect(!look(&watch))
        try write("abc")
        #expect(!look(&watch))
        #expect(look(&watch))
        #expect(!look(&watch))
        unsafe unlink(path)
        #expect(!look(&watch))
        #expect(look(&watch))
        #expect(!look(&watch))
    }

    @Test func `a change that was noted is found again if the file was not read`() throws {
        try write("a")
        defer { unsafe unlink(path) }
        var watch = FileWatch(path)
        try write("ab")
        watch.noteReading()
        #expect(!look(&watch))
        watch.noteNotRead()
        #expect(look(&watch))
        #expect(!look(&watch))
    }
}
