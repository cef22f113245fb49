import EventLoop
import Foundation
import TestSupport
import Testing

@testable import servicedesk_responder

@Suite struct LogTests {
    private let path = NSTemporaryDirectory() + "log-\(UInt64.random(in: 0 ... .max))"

    private func lines() throws -> [String] {
        String(decoding: try readFile(path, limit: 10_000_000), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func log(_ format: LogFormat, level: LogLevel = .info) throws -> Log {
        var log = Log(level: level, format: format, sink: try LogSink(path: path))
        log.time = utf8("2026-11-24T10:00:00.000000Z")
        return log
    }

    @Test func aLineIsOneJSONObject() throws {
        var log = try log(.json)
        if log.begin(.error, "it's \"broken\"\n") {
            log.add("request_id", utf8("a\"b\\c"))
            log.add("empty", [])
            log.add("status", number: 503)
            log.add("milliseconds", milliseconds: 1_234_567)
            log.end()
        }
        log.flush()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let line = try #require(try lines().first)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["message"] as? String == "it's \"broken\"\n")
        #expect(object["request_id"] as? String == "a\"b\\c")
        #expect(object["empty"] == nil)
        #expect(line.hasSuffix(#""status":503,"milliseconds":1.234}"#))
    }

    @Test func textIsForPeople() throws {
        var log = try log(.text)
        if log.begin(.warning, "careful") {
            log.add("status", number: 400)
            log.add("error", text: "two words")
            log.end()
        }
        log.flush()
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try lines() == [#"2026-11-24T10:00:00.000000Z WARNING careful status=400 error="two words""#])
    }

    @Test func belowItsLevelNothingIsLogged() throws {
        var log = try log(.json, level: .warning)
        log.line(.info, "no")
        log.line(.warning, "yes")
        log.flush()
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try lines().count == 1)
    }

    @Test func aRenamedFileIsLeftOnReopening() throws {
        var log = try log(.json)
        log.line(.info, "before")
        log.flush()
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        let fault = log.reopen()
        #expect(fault == nil)
        log.line(.info, "after")
        log.flush()
        defer { for file in [path, path + ".1"] { try? FileManager.default.removeItem(atPath: file) } }
        #expect(try lines().count == 1)
    }

    @Test func aFullDiskCostsLinesAndNoMemory() throws {
        var log = Log(level: .info, format: .json, sink: try LogSink(path: "/dev/full"))
        let text = String(repeating: "x", count: 1000)
        for _ in 0..<2000 {
            log.line(.info, text)
            log.flush()
        }
        let dropped = log.takeDropped()
        #expect(dropped > 900 && dropped < 1100)
    }

    @Test func aPipeThatNobodyReadsDoesNotBlockAndKeepsLinesWhole() throws {
        let pipe = Pipe()
        var sink = LogSink(standardError: pipe.fileHandleForWriting.fileDescriptor)
        let line = utf8(String(repeating: "y", count: 299) + "\n")
        let bytes = Array(repeatElement(line, count: 1000).joined())
        var offset = 0
        sink.write(bytes, from: &offset)
        #expect(offset > 0 && offset < bytes.count && offset % 300 == 0)
        let read = try #require(try pipe.fileHandleForReading.read(upToCount: offset))
        #expect(read.count == offset && read.last == 0x0A)
        let before = offset
        sink.write(bytes, from: &offset)
        #expect(offset > before)
    }
}
