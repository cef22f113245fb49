extension Array {
    /// Removes all elements and keeps the memory, which `removeAll(keepingCapacity:)` does at a cost even where there are
    /// none.
    @inlinable package mutating func clear() { if !isEmpty { removeAll(keepingCapacity: true) } }
}

extension [UInt8] {
    /// A copy of a span.
    @inlinable package init(copying span: Span<UInt8>) {
        self = []
        append(span)
    }

    /// Appends a copy of a span.
    @inlinable package mutating func append(_ span: Span<UInt8>) {
        unsafe span.withUnsafeBytes { bytes in unsafe append(copying: bytes) }
    }

    /// Appends literal text.
    @inlinable package mutating func append(_ text: StaticString) {
        unsafe append(copying: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// One check for room, one copy. `append(contentsOf:)` handles any sequence, and takes longer.
    @inlinable package mutating func append(copying bytes: UnsafeRawBufferPointer) {
        append(addingCapacity: bytes.count) { output in
            unsafe output.withUnsafeMutableBufferPointer { room, count in
                unsafe UnsafeMutableRawBufferPointer(room).copyMemory(from: bytes)
                count = bytes.count
            }
        }
    }

    /// Appends bytes between two literal texts: one check for room for all three.
    @inlinable package mutating func append(_ before: StaticString, _ bytes: Span<UInt8>, _ after: StaticString) {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe append(before, copying: bytes, after)
        }
    }

    /// Appends three literal texts, likewise.
    @inlinable package mutating func append(_ before: StaticString, _ text: StaticString, _ after: StaticString) {
        let bytes = unsafe UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        unsafe append(before, copying: bytes, after)
    }

    @inlinable mutating func append(
        _ before: StaticString, copying bytes: UnsafeRawBufferPointer, _ after: StaticString
    ) {
        let start = before.utf8CodeUnitCount
        let end = start + bytes.count
        let length = end + after.utf8CodeUnitCount
        append(addingCapacity: length) { output in
            unsafe output.withUnsafeMutableBufferPointer { room, count in
                let room = UnsafeMutableRawBufferPointer(room)
                unsafe room.baseAddress?.copyMemory(from: before.utf8Start, byteCount: start)
                unsafe UnsafeMutableRawBufferPointer(rebasing: room[start...]).copyMemory(from: bytes)
                unsafe room.baseAddress?.advanced(by: end).copyMemory(
                    from: after.utf8Start, byteCount: after.utf8CodeUnitCount)
                count = length
            }
        }
    }

    @inlinable package mutating func append(text: String) {
        append(contentsOf: text.utf8)
    }

    /// Appends a number in decimal digits.
    @inlinable package mutating func append(decimal number: some FixedWidthInteger) {
        if number < 0 { append(UInt8(ascii: "-")) }
        var rest = UInt64(number.magnitude)
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = 20
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        append(digits.span.extracting(first..<20))
    }

    /// Appends a number of at most `width` decimal digits, with zeros before it.
    @inlinable package mutating func append(decimal number: Int, width: Int) {
        let start = count
        for _ in 0..<width { append(UInt8(ascii: "0")) }
        var rest = number
        var index = start + width
        while rest > 0 && index > start {
            index -= 1
            self[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}

extension Span<UInt8> {
    /// Whether these are the bytes of `text`.
    @inlinable package func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in indices where unsafe self[index] != text.utf8Start[index] { return false }
        return true
    }

    /// Whether the bytes are those of `text`, where ASCII letters of either case are the same. `text` is in lower case.
    @inlinable package func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in indices where unsafe self[index].lowercased != text.utf8Start[index] { return false }
        return true
    }

    @inlinable package func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] { return false }
        return true
    }

    @inlinable package func hasPrefix(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && extracting(first: text.utf8CodeUnitCount).equals(text)
    }

    /// The range of the content without the spaces and tabs that a header field may have at either end (OWS of RFC
    /// 9110, section 5.6.3).
    @inlinable package var trimmedRange: Range<Int> {
        var start = 0
        var end = count
        while start < end && self[start].isOptionalSpace { start += 1 }
        while end > start && self[end - 1].isOptionalSpace { end -= 1 }
        return start..<end
    }

    /// Eight bytes from `offset` on as one number, the first in the lowest bits. Traps beyond the end.
    @inlinable package func word(at offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// A number of 1 to 18 decimal digits and nothing else, or nil.
    @inlinable package var decimal: Int? {
        guard (1...18).contains(count) else { return nil }
        var number = 0
        for index in indices {
            guard self[index].isDigit else { return nil }
            number = number * 10 + Int(self[index] - UInt8(ascii: "0"))
        }
        return number
    }
}
