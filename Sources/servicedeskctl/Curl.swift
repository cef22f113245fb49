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
    /// Why there was no answer. It may quote the server, such as a name in its certificate, and is safe for a terminal.
    let error: String
}

/// Why curl made no posts.
struct CurlFailure: Error, CustomStringConvertible {
    let description: String
}

/// Posts made by curl(1), all by one process, which keeps connections open. Headers reach it on its standard input: a secret is
/// never in the list of processes.
struct Curl: ~Copyable {
    private let url: String
    /// What those posts have that have no body of their own: curl opens it for each, and so takes no memory for it.
    private let commonBody: Descriptor
    private let parallel: Int
    /// Whether the response is kept; only for a single post.
    private let keepsResponse: Bool
    var isInsecure = false
    private var config: [UInt8] = []
    private(set) var response: [UInt8] = []

    init(url: String, commonBody: [UInt8], parallel: Int, keepsResponse: Bool) throws {
        self.url = url
        self.parallel = parallel
        self.keepsResponse = keepsResponse
        do throws(SystemError) {
            self.commonBody = try Descriptor.memoryFile(holding: commonBody.span)
        } catch {
            throw CurlFailure(description: "curl cannot be given the body (\(error))")
        }
    }

    /// - Parameter body: the post's own, which must be short: curl limits the lines of its configuration.
    mutating func addPost(_ headers: [HeaderField], body: [UInt8]? = nil) {
        if !config.isEmpty { config += "next\n".utf8 }
        option("url", Array(url.utf8))
        if let body {
            option("data-raw", body)
        } else {
            option("upload-file", Array("/proc/self/fd/3".utf8))
            option("request", Array("POST".utf8))
        }
        for field in headers + [
            HeaderField("Content-Type", Array("application/json".utf8)), HeaderField("Expect", []),
        ] {
            option("header", Array("\(field.name): ".utf8) + field.value)
        }
        option("output", Array((keepsResponse ? "-" : "/dev/null").utf8))
        option("write-out", Array("\(Curl.mark)%{http_code} %{time_total} %{errormsg}\n".utf8))
        config += "silent\nmax-time = 60\n".utf8
        if isInsecure { config += "insecure\n".utf8 }
    }

    /// Stands before each result.
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
        var arguments = ["curl", "--no-progress-meter", "--config", "-"]
        if parallel > 1 { arguments += ["--parallel", "--parallel-immediate", "--parallel-max", "\(parallel)"] }
        var posts: [Post] = []
        var output: [UInt8] = []
        let status: Int32
        do throws(SystemError) {
            let input = try Descriptor.inMemory(holding: config.span)
            status = try runProgram(arguments, input: input, file: commonBody) { bytes in
                output.append(bytes)
                guard !keepsResponse else { return }
                posts += Curl.takePosts(from: &output)
                progress(posts.count)
            }
        } catch {
            let advice = error.code == ENOENT ? ": install curl" : ""
            throw CurlFailure(description: "curl cannot be run (\(error))\(advice)")
        }
        if keepsResponse {
            // The last mark: the response may contain others.
            let end = output.lastIndex(of: Curl.mark.utf8.first!) ?? output.endIndex
            response = Array(output[..<end])
            output.removeSubrange(..<end)
            posts = Curl.takePosts(from: &output)
        }
        guard !posts.isEmpty || status == 0 else {
            throw CurlFailure(description: "curl failed with exit status \(status)")
        }
        return posts
    }

    /// Takes the results that are complete.
    private static func takePosts(from output: inout [UInt8]) -> [Post] {
        var posts: [Post] = []
        while let start = output.firstIndex(of: mark.utf8.first!), let end = output[start...].firstIndex(of: .lineFeed)
        {
            posts.append(Post(output[(start + 1)..<end]))
            output.removeSubrange(...end)
        }
        return posts
    }
}

extension Post {
    /// Reads a result as curl writes it: `202 0.001234 `, or `000 0.000123 Could not resolve host`.
    fileprivate init(_ result: ArraySlice<UInt8>) {
        let words = String(decoding: result, as: UTF8.self).split(separator: " ", maxSplits: 2)
        status = words.first.flatMap { Int($0) } ?? 0
        let seconds = words.count > 1 ? Double(words[1]) ?? 0 : 0
        microseconds = Int(exactly: (seconds * 1e6).rounded()) ?? 0
        error = words.count > 2 ? String(decoding: TerminalText.line(Array(words[2].utf8)), as: UTF8.self) : ""
    }
}
