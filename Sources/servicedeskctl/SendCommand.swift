import ArgumentParser
import Bytes
import JSON
import System
import Tenants
import Webhook

/// `servicedeskctl send < body`
struct Send: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Signs a ticket and posts it, once or many times.",
        discussion: """
            The ticket comes from standard input, or --sample makes a valid one, new for each post. Needs curl.

            The exit status is 0 if every post was answered 202; 1 if not, also if curl could not be run; 64 for \
            arguments that make no sense.
            """)

    @Option(help: "Scheme, host and port of the web server.") var url = "http://127.0.0.1:8080"
    @OptionGroup var signer: SignerOptions
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

    private var path: String { "/webhook/servicedesk" + (signer.sender.map { "/\($0)" } ?? "") }

    func run() throws {
        var key = try signer.signer()
        let given = sample ? [] : try StandardStreams.read()
        var samples = sample ? try sampleTicket() : nil
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        var curl = try Curl(
            url: base + path, commonBody: given, parallel: parallel, keepsResponse: count == 1 && !json)
        curl.isInsecure = insecure
        for _ in 0..<count {
            let own = samples?.next()
            curl.addPost(try key.headers(signing: own ?? given), body: own)
        }
        let begin = Instant.now
        let progress = Progress(of: count)
        let posts = try curl.run { progress.show($0) }
        progress.end()
        let summary = PostSummary(posts, of: count, nanoseconds: Instant.now.since(begin))
        if json {
            try StandardStreams.write(line: summary.tree.text)
        } else if count == 1 {
            try StandardStreams.write(line: Array(summary.statusLine.utf8))
            if !curl.response.isEmpty { try StandardStreams.write(line: TerminalText.lines(curl.response)) }
        } else {
            for line in summary.lines { try StandardStreams.write(line: Array(line.utf8)) }
        }
        if !summary.areAllAccepted { throw ExitCode(1) }
    }

    private func sampleTicket() throws -> SampleTicket {
        guard let sender = signer.sender else { return SampleTicket(tenant: signer.tenant ?? "sample") }
        let store = try signer.tenants.store()
        let profile = try store.keyRing().table.profile(ofSender: Array(sender.utf8))
        return SampleTicket(sender: try store.read().document.owner(.sender, sender), profile: profile)
    }
}
