import Bytes

/// Plain text out of HTML: line breaks where a browser has them, no mark-up, no character references.
///
/// Help desks send HTML, but also plain text in the same field. So only the elements of HTML are mark-up: `<jo@example.com>`
/// and `a < b` stay as they are, and so do the line breaks of a text without any element. One pass, however the text is
/// nested or left unfinished.
struct HTMLText {
    private let html: [UInt8]
    private let hasMarkup: Bool
    private var index = 0
    private var text: [UInt8] = []
    /// What comes before the next character, if that is not the first.
    private var lineFeeds = 0
    private var hasSpace = false
    /// Levels of `pre`, in which white space counts.
    private var preformatted = 0
    /// A tag whose quotation mark is not closed would be looked for to the end of the text again and again.
    private var ignoresQuotes = false
    /// Ends that were looked for and are not in the rest of the text, likewise.
    private var unclosed: Set<HTMLEnd> = []

    /// The text of HTML that is valid UTF-8.
    static func plain(_ html: [UInt8]) -> [UInt8] {
        guard html.contains(where: { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "&") || $0 == 0xA0 }) else {
            return html
        }
        var converter = HTMLText(html, hasMarkup: hasMarkup(html))
        converter.convert()
        return converter.text
    }

    private static func hasMarkup(_ html: [UInt8]) -> Bool {
        var scan = HTMLText(html, hasMarkup: true)
        while scan.index < html.count {
            if scan.skipMarkup() { return true }
            scan.index += 1
        }
        return false
    }

    private init(_ html: [UInt8], hasMarkup: Bool) {
        self.html = html
        self.hasMarkup = hasMarkup
        text.reserveCapacity(html.count)
    }

    private mutating func convert() {
        while index < html.count {
            if hasMarkup && skipMarkup() { continue }
            if html[index] == UInt8(ascii: "&"), let (scalar, end) = CharacterReference.read(html, from: index) {
                index = end
                append(scalar)
                continue
            }
            let byte = html[index]
            index += 1
            if byte == 0xC2 && index < html.count && html[index] == 0xA0 {
                index += 1
                append("\u{A0}")
            } else if hasMarkup && preformatted == 0 && byte.isHTMLSpace {
                hasSpace = true
            } else {
                append(byte)
            }
        }
    }

    // MARK: Text

    private mutating func append(_ scalar: Unicode.Scalar) {
        // A no-break space is a space to whoever reads plain text.
        guard scalar != "\u{A0}" || !hasMarkup else {
            hasSpace = true
            return
        }
        if scalar == "\u{A0}" { return append(.space) }
        for byte in Unicode.UTF8.encode(scalar)! { append(byte) }
    }

    private mutating func append(_ byte: UInt8) {
        if lineFeeds > 0 {
            let present = text.suffix(2).reversed().prefix { $0 == .lineFeed }.count
            if !text.isEmpty && present < lineFeeds {
                text.append(contentsOf: [UInt8](repeating: .lineFeed, count: lineFeeds - present))
            }
        } else if hasSpace, let last = text.last, last != .lineFeed, last != .tab, last != .space {
            text.append(.space)
        }
        (lineFeeds, hasSpace) = (0, false)
        text.append(byte)
    }

    // MARK: Mark-up

    /// Moves past a tag, a comment or a declaration. Returns false where none begins.
    private mutating func skipMarkup() -> Bool {
        guard html[index] == UInt8(ascii: "<"), index + 1 < html.count else { return false }
        switch html[index + 1] {
        case UInt8(ascii: "!"), UInt8(ascii: "?"): return skipDeclaration()
        case let byte:
            let isEnd = byte == UInt8(ascii: "/")
            let start = index + (isEnd ? 2 : 1)
            guard let (element, length) = HTMLElement.read(html, from: start), let end = tagEnd(from: start + length)
            else { return false }
            index = end
            take(element, isEnd: isEnd)
            return true
        }
    }

    private mutating func skipDeclaration() -> Bool {
        let isComment = html[index...].starts(with: "<!--".utf8)
        guard let end = find(isComment ? .comment : .tag, from: index + 2) else { return false }
        index = end
        return true
    }

    /// The index after the `>` that ends a tag, and that is not in quotation marks.
    private mutating func tagEnd(from start: Int) -> Int? {
        guard !ignoresQuotes else { return find(.tag, from: start) }
        var quote: UInt8?
        for position in start..<html.count {
            let byte = html[position]
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: ">") {
                return position + 1
            } else if byte == .quote || byte == UInt8(ascii: "'") {
                quote = byte
            }
        }
        ignoresQuotes = true
        return tagEnd(from: start)
    }

    /// The index after the next such end, in any case; nil, from then on at once, if there is none.
    private mutating func find(_ wanted: HTMLEnd, from start: Int) -> Int? {
        guard !unclosed.contains(wanted) else { return nil }
        let html = html
        let text = wanted.text
        var end = start + text.utf8CodeUnitCount
        while end <= html.count {
            if html.span.extracting(end - text.utf8CodeUnitCount..<end).equalsIgnoringCase(text),
                !wanted.isName || end == html.count || !html[end].isLetterOrDigit
            {
                return end
            }
            end += 1
        }
        unclosed.insert(wanted)
        return nil
    }

    private mutating func take(_ element: HTMLElement, isEnd: Bool) {
        switch element {
        case .inline: break
        case .hidden(let wanted):
            // One that is not closed hides nothing: its text is better kept than lost.
            if !isEnd, let end = find(wanted, from: index) { index = end - wanted.text.utf8CodeUnitCount }
        case .lineBreak: breakLine()
        case .block: lineFeeds = max(lineFeeds, 1)
        case .paragraph: lineFeeds = 2
        case .item:
            lineFeeds = max(lineFeeds, 1)
            if !isEnd { for byte in "- ".utf8 { append(byte) } }
        case .cell:
            guard !isEnd, lineFeeds == 0, let last = text.last, last != .lineFeed else { break }
            hasSpace = false
            append(.tab)
        case .preformatted:
            lineFeeds = max(lineFeeds, 1)
            preformatted = isEnd ? 0 : 1
        }
    }

    /// A line break counts even after another.
    private mutating func breakLine() {
        hasSpace = false
        if lineFeeds > 0 { append(.lineFeed) } else if !text.isEmpty { text.append(.lineFeed) }
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool { lowercased.isLowercaseLetter || isDigit }

    /// ASCII white space of the HTML Standard.
    var isHTMLSpace: Bool {
        self == .space || self == .tab || self == .lineFeed || self == .carriageReturn || self == 0x0C
    }
}
