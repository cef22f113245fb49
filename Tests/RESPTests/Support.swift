import RESP

/// The replies that a parser reads from the pieces of a stream, and the fault that ended it.
struct Parsing: Equatable {
    private(set) var replies: [Reply] = []
    private(set) var fault: ReplyFault?
    /// Bytes after the last reply.
    private(set) var rest: [UInt8] = []

    /// Feeds the pieces as a connection does: each is appended to what is left of those before it.
    ///
    /// - Parameter discards: whether replies are removed after each piece, or all bytes are kept to the end.
    init(_ pieces: [[UInt8]], replyLimit: Int = 16_777_216, discards: Bool = true) {
        var parser = ReplyParser(replyLimit: replyLimit)
        do throws(ReplyFault) {
            for piece in pieces {
                rest += piece
                while let reply = try parser.next(in: rest.span) { replies.append(reply) }
                if discards {
                    rest.removeFirst(parser.consumed)
                    parser.discardConsumed()
                }
            }
            rest.removeFirst(parser.consumed)
        } catch {
            fault = error
            rest = []
        }
    }

    init(_ text: String) { self.init([Array(text.utf8)]) }
}
