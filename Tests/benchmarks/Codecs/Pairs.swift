import Bytes
import COpenSSL
import FastCGI
import RESP
import Webhook

private let plainText = "the mail server is slow since this morning "

/// A ticket with a description that repeats `text` up to a length.
func ticket(_ text: String, length: Int) -> [UInt8] {
    var description = ""
    while description.utf8.count < length { description += text }
    let head = #"{"event":"ticket_created","ticket_id":"TKT-1","tenant_id":"tenant-abc","description":""#
    return Array((head + description + #"","priority":"low","created_at":"2026-01-01T00:00:00Z"}"#).utf8)
}

/// Tickets of one kind of text each, beside a pass of the standard library that checks that they are UTF-8.
func ticketPairs() -> [Pair] {
    let texts = [
        ("ASCII", plainText), ("accents", "Öffnen läßt’s nicht — übel "),
        ("escapes", #"Tr\u00fcb \"seit heute\"\n"#),
    ]
    return texts.map { name, text in
        let body = ticket(text, length: 1000)
        var reader = TicketReader()
        var read = Ticket()
        return Pair(
            name: "JSON ticket, \(name)", baseline: "checking UTF-8", bytes: body.count,
            run: {
                try! reader.read(body.span, into: &read)
                return read.description.count
            },
            runBaseline: { String(validating: body, as: UTF8.self)!.utf8.count })
    }
}

/// Bodies of 128 KiB from somebody who is not authenticated, made to keep the search for their tenant busy, beside the
/// HMAC that comes after it.
func claimPairs() -> [Pair] {
    func body(_ open: String, _ member: (Int) -> String, _ close: String) -> [UInt8] {
        var text = Array(open.utf8)
        var number = 0
        while text.count < 131_000 {
            if number > 0 { text.append(0x2C) }
            text += Array(member(number).utf8)
            number += 1
        }
        return text + Array((close + #","tenant_id":"acme"}"#).utf8)
    }
    let bodies = [
        ("nested keys", body(#"{"x":{"#, { #""\#(String($0, radix: 36))":0"# }, "}")),
        ("nested empty objects", body(#"{"x":["#, { _ in "{}" }, "]")),
        ("short keys", body("{", { _ in #""":0"# }, "")),
        ("keys like its own", body("{", { _ in #""\u0074enant_i\u0065":0"# }, "")),
    ]
    let authenticator = Authenticator(key: Array("a secret of at least 32 bytes, it says".utf8).span)
    return bodies.map { name, body in
        let reader = TicketReader()
        var tenant: [UInt8] = []
        return Pair(
            name: "claim, \(name)", baseline: "its HMAC", bytes: body.count,
            run: {
                reader.tenant(of: body.span, into: &tenant)
                return tenant.count
            },
            runBaseline: { Int(authenticator.tag(of: body.span)[0]) })
    }
}

/// Replies to pipelined pushes, beside a loop that counts their ends.
func replies() -> Pair {
    let bytes = Array((1...512).map { ":\($0 * 37)\r\n" }.joined().utf8)
    return Pair(
        name: "RESP replies", baseline: "counting line ends", bytes: bytes.count,
        run: {
            var parser = ReplyParser()
            var sum = 0
            while case .integer(let depth)? = try! parser.next(in: bytes.span) { sum &+= Int(depth) }
            return sum
        },
        runBaseline: { bytes.reduce(0) { $1 == 0x0A ? $0 + 1 : $0 } })
}

/// A push, beside a copy of its job.
func command() -> Pair {
    let job = ticket(plainText, length: 1000)
    var output: [UInt8] = []
    var copy: [UInt8] = []
    return Pair(
        name: "RESP command", baseline: "a copy", bytes: job.count,
        run: {
            output.removeAll(keepingCapacity: true)
            output.append(commandOf: 3)
            output.append(argument: "LPUSH")
            output.append(argument: "enhancement:queue")
            output.append(argument: job.span)
            return output.count
        },
        runBaseline: {
            copy.removeAll(keepingCapacity: true)
            copy.append(job.span)
            return copy.count
        })
}

/// A request as nginx sends it, with its variables, beside the sum of its bytes.
func records() -> Pair {
    func record(_ kind: UInt8, _ content: [UInt8]) -> [UInt8] {
        [1, kind, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0] + content
    }
    var variables: [UInt8] = []
    for number in 1...14 {
        let name = "HTTP_X_VARIABLE_\(number)"
        let value = "a value of some length, \(number)"
        variables += [UInt8(name.utf8.count), UInt8(value.utf8.count)] + Array((name + value).utf8)
    }
    let body = ticket(plainText, length: 1000)
    let bytes =
        record(1, [0, 1, 1, 0, 0, 0, 0, 0]) + record(4, variables) + record(4, []) + record(5, body) + record(5, [])
    var scanner = RecordScanner(bodyLimit: 131_072)
    return Pair(
        name: "FastCGI records", baseline: "adding the bytes up", bytes: bytes.count,
        run: {
            guard case .complete(let shape) = scanner.scan(bytes.span) else { return 0 }
            var sum = shape.bodyLength
            _ = scanner.forEachParameter(of: shape, in: bytes.span) { _, value in sum += value.count }
            return sum
        },
        runBaseline: { bytes.reduce(0) { $0 &+ Int($1) } })
}

/// A signature that is checked, beside libcrypto's HMAC() with the key set anew each time.
func authentication() -> Pair {
    let key = Array("a secret of at least 32 bytes, it says".utf8)
    let body = ticket(plainText, length: 1000)
    let authenticator = Authenticator(key: key.span)
    var text: [UInt8] = []
    text.append(hex: authenticator.tag(of: body.span))
    return Pair(
        name: "HMAC-SHA256 and compare", baseline: "HMAC() of libcrypto", bytes: body.count,
        run: {
            guard let claimed = Tag(hexadecimal: text.span) else { return 0 }
            return areEqual(claimed, authenticator.tag(of: body.span)) ? 1 : 0
        },
        runBaseline: {
            var tag = [UInt8](repeating: 0, count: 32)
            unsafe HMAC(EVP_sha256(), key, Int32(key.count), body, body.count, &tag, nil)
            return Int(tag[0])
        })
}
