import ArgumentParser
import Bytes
import JSON
import System
import Webhook

/// `servicedeskctl send < body`
struct Send: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Signs a ticket and posts it, once or many times.",
        discussion: """
            The ticket comes from standard input, or --sample makes a valid one, new for each post. Needs curl.

            The exit status is 0 if every post was answered 202, and 1 otherwise.
            """)

    @Option(help: "Scheme, host and port of the web server.") var url = "http://127.0.0.1:8080"
    @OptionGroup var signing: SigningOptions
    @Flag(help: "Post a ticket made for the purpose.") var sample = false
    @Option(help: "How often.") var count = 1
    @Option(help: "Posts at the same time.") var parallel = 1
    @Flag(help: "Print a summary as an object.") var json = false
    @Flag(help: "Do not check the certificate of an https server.") var insecure = false

    func validate() throws {
        guard (1...100_000).contains(count) else { throw ValidationError("--count must be from 1 to 100000") }
        guard (1...300).contains(parallel) else { throw ValidationError("--parallel must be from 1 to 300") }
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw ValidationError("--url must begin with http:// or https://")
        }
    }

    func run() throws {
        let key = try signing.heldKey()
        let given = sample ? nil : try StandardStreams.read()
        var base = url
        if base.hasSuffix("/") { base.removeLast() }
        var curl = Curl(url: base + signing.path, parallel: parallel, showsBody: count == 1 && !json)
        curl.isInsecure = insecure
        for number in 1...count {
            let body =
                given
                ?? SampleTicket.body(number: number, tenant: signing.sender == nil ? signing.tenant ?? "acme" : nil)
            curl.add(body, try signing.headers(signing: body, with: key))
        }
        let begin = Instant.now
        let progress = Progress(of: count)
        let posts = try curl.run { progress.show($0) }
        progress.end()
        let summary = PostSummary(posts, of: count, nanoseconds: Instant.now.since(begin))
        if json {
            try StandardStreams.write(line: summary.tree.text)
        } else if count == 1 {
            try StandardStreams.write(line: Array("\(summary.statusLine)".utf8))
            if let body = curl.body, !body.isEmpty { try StandardStreams.write(line: body) }
        } else {
            for line in summary.lines { try StandardStreams.write(line: Array(line.utf8)) }
        }
        if !summary.areAllAccepted { throw ExitCode(1) }
    }
}
