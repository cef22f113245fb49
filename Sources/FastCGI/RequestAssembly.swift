import Bytes

/// A request that is read from its socket piece by piece, because it was not there as a whole: the peer's send buffer
/// may be smaller than the request, or its records may need what libfcgi does not support.
///
/// It keeps the content of the records and drops their headers and padding, so that what it holds does not depend on
/// how the peer cut the streams. When the request is whole, `append(to:)` writes it again in records that libfcgi
/// reads.
package final class RequestAssembly {
    /// Bytes of a body over the limit that are read and discarded, so that the peer has sent all of it when it gets its
    /// 413.
    static let discardLimit = 1_048_576

    package enum Progress: Equatable {
        /// More bytes are needed.
        case incomplete
        /// The last byte of the request was fed.
        case complete
        /// The body has passed `discardLimit`: it need not be read to its end.
        case endless
    }

    private enum Position {
        case header
        case content(RecordHeader, RecordSequence.Content, left: Int)
        case padding(left: Int)
    }

    private let bodyLimit: Int
    private var sequence = RecordSequence()
    private var position = Position.header
    private var header: [UInt8] = []
    /// The content of a record that means something only as a whole: BEGIN_REQUEST's, or a management record's.
    private var content: [UInt8] = []
    private var parameters: [UInt8] = []
    private var body: [UInt8] = []
    private var replies: [UInt8] = []
    /// Returns to the budget when the assembly is released.
    private let share: AssemblyBudget.Share

    package init(bodyLimit: Int, share: consuming AssemblyBudget.Share) {
        self.bodyLimit = bodyLimit
        self.share = share
    }

    /// Bytes of body that have been announced, kept or not.
    package var bodyLength: Int { sequence.bodyLength }
    /// Whether the body is over the limit. If so, the parameters are complete.
    package var isTooLong: Bool { sequence.bodyLength > bodyLimit }
    var keepsConnection: Bool { sequence.keepsConnection }

    /// Whether no request has begun and no record is half read.
    var isEmpty: Bool { isBetweenRecords && !sequence.hasBegun }

    /// Takes the replies to management records (section 4), which must be sent.
    func takeReplies() -> [UInt8] {
        defer { replies = [] }
        return replies
    }

    // MARK: Feeding

    /// Takes the next bytes from the socket.
    package func feed(_ bytes: Span<UInt8>) throws(ProtocolFault) -> Progress {
        var offset = 0
        while offset < bytes.count {
            let rest = bytes.extracting(droppingFirst: offset)
            switch position {
            case .header: offset += try feedHeader(rest)
            case .content(let header, let kind, let left):
                let piece = rest.extracting(first: min(left, rest.count))
                keep(piece, of: kind)
                offset += piece.count
                try move(to: .content(header, kind, left: left - piece.count))
            case .padding(let left):
                let count = min(left, rest.count)
                offset += count
                try move(to: .padding(left: left - count))
            }
            if sequence.bodyLength > RequestAssembly.discardLimit { return .endless }
        }
        return sequence.hasEnded && isBetweenRecords ? .complete : .incomplete
    }

    private var isBetweenRecords: Bool {
        guard case .header = position else { return false }
        return header.isEmpty
    }

    /// Takes a header, or gathers a part of one. Returns how many bytes it took.
    private func feedHeader(_ bytes: Span<UInt8>) throws(ProtocolFault) -> Int {
        if header.isEmpty && bytes.count >= RecordHeader.length {
            try begin(try RecordHeader(bytes))
            return RecordHeader.length
        }
        let count = min(RecordHeader.length - header.count, bytes.count)
        header.append(bytes.extracting(first: count))
        guard header[0] == RecordHeader.version else { throw .version }
        guard header.count == RecordHeader.length else { return count }
        let gathered = header
        header = []
        try begin(try RecordHeader(gathered.span))
        return count
    }

    private func begin(_ record: RecordHeader) throws(ProtocolFault) {
        let kind = try sequence.accept(record)
        switch kind {
        case .beginRequest, .management: content.removeAll(keepingCapacity: true)
        case .body: reserveBody()
        case .params, .endOfParams, .endOfBody, .lateAbort: break
        }
        try move(to: .content(record, kind, left: record.contentLength))
    }

    /// Moves to a position, or past it if nothing is left there.
    private func move(to next: Position) throws(ProtocolFault) {
        switch next {
        case .content(let header, let kind, left: 0):
            try endContent(of: header, kind)
            try move(to: .padding(left: header.paddingLength))
        case .padding(left: 0): position = .header
        case .header, .content, .padding: position = next
        }
    }

    private func keep(_ piece: Span<UInt8>, of kind: RecordSequence.Content) {
        switch kind {
        case .beginRequest, .management: content.append(piece)
        case .params: parameters.append(piece)
        case .body: if !isTooLong { body.append(piece) }
        case .endOfParams, .endOfBody, .lateAbort: break
        }
    }

    private func endContent(of header: RecordHeader, _ kind: RecordSequence.Content) throws(ProtocolFault) {
        let content = content
        switch kind {
        case .beginRequest: try sequence.begin(content.span)
        case .endOfParams: guard forEachParameter({ _, _ in }) else { throw .parameterLength }
        case .management: try Management.appendReply(to: header.type, content.span, into: &replies)
        case .params, .body, .endOfBody, .lateAbort: break
        }
    }

    /// Reserves the whole body at once, since growing could take twice its limit. Frees it once it is too long.
    private func reserveBody() {
        if isTooLong {
            body = []
        } else if body.isEmpty {
            body.reserveCapacity(bodyLimit)
        }
    }

    // MARK: The request

    /// Calls `body` with the name and the value of each parameter.
    @discardableResult
    func forEachParameter(_ body: (Span<UInt8>, Span<UInt8>) -> Void) -> Bool {
        let parameters = parameters
        return NameValuePairs.forEach(in: parameters.span, body)
    }

    /// Appends the request in as few records as possible. A body that is too long is left out.
    package func append(to records: inout [UInt8]) {
        let (parameters, body) = (parameters, body)
        let flags: UInt8 = keepsConnection ? 1 : 0
        let content: [UInt8] = [0, 1, flags, 0, 0, 0, 0, 0]
        records.append(record: .beginRequest, of: sequence.requestID, content.span)
        records.append(stream: .params, of: sequence.requestID, parameters.span)
        records.append(stream: .stdin, of: sequence.requestID, body.span)
    }
}
