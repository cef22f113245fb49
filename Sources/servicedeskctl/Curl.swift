import ArgumentParser
import Bytes
import Glibc
import System
import Webhook

/// One post and what became of it.
struct Post {
    /// 0 if there was no answer.
    let status: Int
    let microseconds: Int
    /// Why there was no answer.
    let error: String
}

/// Posts made by curl(1), all by one process, which keeps connections open. Headers and bodies reach it on its standard input:
/// a secret is never in the list of processes.
struct Curl {
    private let url: String
    private let parallel: Int
    /// Whether the response's body is kept; only for a single post.
    private let showsBody: Bool
    var isInsecure = false
    private var config: [UInt8] = []
    private(set) var body: [UInt8]?

    init(url: String, parallel: Int, showsBody: Bool) {
        self.url = url
        self.parallel = parallel
        self.showsBody = showsBody
    }

    mutating func add(_ body: [UInt8], _ headers: [HeaderField]) {
        if !config.isEmpty { config += "next\n".utf8 }
        option("url", Array(url.utf8))
        option("data-raw", body)
        for field in headers + [
            HeaderField("Content-Type", Array("application/json".utf8)), HeaderField("Expect", []),
        ] {
            option("header", Array("\(field.name): ".utf8) + field.value)
        }
        option("output", Array((showsBody ? "-" : "/dev/null").utf8))
        option("write-out", Array("\(Curl.mark)%{http_code} %{time_total} %{errormsg}\n".utf8))
        config += "silent\nmax-time = 60\n".utf8
        if isInsecure { config += "insecure\n".utf8 }
    }

    /// Stands before each result, so that it is not taken for a part of the response.
    private static let mark = "\u{1E}"

    private mutating func option(_ name: String, _ value: [UInt8]) {
        config += "\(name) = \"".utf8
        for byte in value {
            switch byte {
            case .quote, .backslash: config += [.backslash, byte]
            case .lineFeed: config += "\\n".utf8
            case .carriageReturn: config += "\\r".utf8
            case .tab: config += "\\t".utf8
            default: config.append(byte)
            }
        }
        config += "\"\n".utf8
    }

    /// Makes the posts.
    ///
    /// - Parameter progress: is handed how many have ended.
    mutating func run(_ progress: (Int) -> Void) throws -> [Post] {
        guard !config.contains(0) else { throw ValidationError("curl cannot post a body with a NUL byte") }
        let input = try Descriptor.inMemory(holding: config.span)
        var arguments = ["curl", "--no-progress-meter", "--config", "-"]
        if parallel > 1 { arguments += ["--parallel", "--parallel-immediate", "--parallel-max", "\(parallel)"] }
        var posts: [Post] = []
        var output: [UInt8] = []
        let status: Int32
        do throws(SystemError) {
            status = try runProgram(arguments, input: input) { bytes in
                output.append(bytes)
                posts += Curl.takePosts(from: &output, keeping: showsBody)
                progress(posts.count)
            }
        } catch {
            let advice = error.code == ENOENT ? ": install curl" : ""
            throw ValidationError("curl cannot be run (\(error))\(advice)")
        }
        if showsBody { body = output }
        guard !posts.isEmpty || status == 0 else { throw ValidationError("curl failed with exit status \(status)") }
        return posts
    }

    /// Takes the results that are complete.
    private static func takePosts(from output: inout [UInt8], keeping body: Bool) -> [Post] {
        var posts: [Post] = []
        while let start = output.firstIndex(of: mark.utf8.first!), let end = output[start...].firstIndex(of: .lineFeed)
        {
            let line = String(decoding: output[(start + 1)..<end], as: UTF8.self)
            let words = line.split(separator: " ", maxSplits: 2)
            let seconds = words.count > 1 ? Double(words[1]) ?? 0 : 0
            posts.append(
                Post(
                    status: words.first.flatMap { Int($0) } ?? 0, microseconds: Int(seconds * 1e6),
                    error: words.count > 2 ? String(words[2]) : ""))
            output.removeSubrange((body ? start : 0)...end)
        }
        return posts
    }
}
