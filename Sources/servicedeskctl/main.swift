import ArgumentParser
import Product

struct ServiceDeskCtl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "servicedeskctl",
        abstract:
            "Inspects the queue and dead jobs, edits the tenants file, and signs and checks tickets as servicedesk-responder does.",
        version: Product.version,
        subcommands: [
            Sign.self, Send.self, Explain.self, Check.self, JobCommand.self, Schema.self, Depth.self, Peek.self,
            Pop.self, Push.self, Dead.self, QuarantineCommand.self,
            TenantCommand.self, SenderCommand.self, ProfileCommand.self, Listener.self,
        ])
}

StandardStreams.prepare()
ServiceDeskCtl.main()
