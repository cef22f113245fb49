import Bytes

extension [UInt8] {
    /// Appends the head of a RESP command with `count` arguments. Append each with `append(argument:)`.
    package mutating func append(commandOf count: Int) {
        append(UInt8(ascii: "*"))
        append(decimal: count)
        append("\r\n")
    }

    /// Appends one argument, a bulk string: any bytes.
    package mutating func append(argument bytes: Span<UInt8>) {
        append(UInt8(ascii: "$"))
        append(decimal: bytes.count)
        append("\r\n")
        append(bytes)
        append("\r\n")
    }

    package mutating func append(argument text: String) {
        append(argument: Array(text.utf8).span)
    }

    /// Appends a whole command, e.g. `LPUSH`, a key and a value.
    package mutating func append(command arguments: String...) {
        append(commandOf: arguments.count)
        for argument in arguments { append(argument: argument) }
    }
}
