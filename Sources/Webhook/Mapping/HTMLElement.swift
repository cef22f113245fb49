import Bytes

/// What an element means for the text.
enum HTMLElement {
    case inline, lineBreak, block, paragraph, item, cell, preformatted
    /// Its content is not shown, up to the end tag.
    case hidden(HTMLEnd)

    /// A name of ASCII letters and digits in lower case, a byte after the other: looked up without an allocation, since
    /// a text may consist of tags.
    private typealias Name = UInt128

    /// Bytes of a name, at most.
    private static let nameLimit = 10
    private static let inlineNames =
        "a abbr acronym area audio b base basefont bdi bdo big body button canvas cite code col colgroup data datalist del "
        + "dfn em embed font html i iframe img input ins kbd label legend link map mark meta meter nobr noscript object "
        + "optgroup option output param picture progress q rp rt ruby s samp select small source span strike strong sub "
        + "summary sup svg tbody tfoot thead time track tt u var video wbr"
    private static let blockNames =
        "address article aside blockquote caption center dd details dialog dir div dl dt fieldset figcaption figure footer "
        + "form header hgroup hr main menu nav ol search section table textarea tr ul"
    private static let smartTags = name("st1")
    private static let all: [Name: HTMLElement] = {
        var all: [Name: HTMLElement] = [:]
        func add(_ names: String, _ element: HTMLElement) {
            for text in names.split(separator: " ") { all[name(text)] = element }
        }
        add(inlineNames, .inline)
        add(blockNames, .block)
        add("p h1 h2 h3 h4 h5 h6", .paragraph)
        add("br", .lineBreak)
        add("li", .item)
        add("td th", .cell)
        add("pre", .preformatted)
        add("script", .hidden(.script))
        add("style", .hidden(.style))
        add("head", .hidden(.head))
        add("title", .hidden(.title))
        return all
    }()

    private static func name(_ text: some StringProtocol) -> Name { text.utf8.reduce(0) { $0 << 8 | Name($1) } }

    /// The element whose name begins at `start`, in any case, and the length of the name. Nil if HTML has none of that name.
    static func read(_ html: [UInt8], from start: Int) -> (element: HTMLElement, length: Int)? {
        var name: Name = 0
        for index in start..<min(html.count, start + nameLimit + 1) {
            let byte = html[index].lowercased
            if byte.isHTMLSpace || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") {
                return all[name].map { ($0, index - start) }
            }
            if byte == UInt8(ascii: ":") {
                return isOfOffice(html, name, colon: index) ? (.inline, index - start) : nil
            }
            guard byte.isLowercaseLetter || byte.isDigit else { return nil }
            name = name << 8 | Name(byte)
        }
        return nil
    }

    /// Office writes elements of its own, such as `o:p` and `st1:place`. `C:\temp` is a path.
    private static func isOfOffice(_ html: [UInt8], _ prefix: Name, colon: Int) -> Bool {
        let isOne = prefix == smartTags || prefix <= 0xFF && UInt8(prefix).isLowercaseLetter
        return isOne && colon + 1 < html.count && html[colon + 1].lowercased.isLowercaseLetter
    }
}

/// What ends a tag, a comment, or an element whose content is not shown.
enum HTMLEnd {
    case tag, comment, script, style, head, title

    var text: StaticString {
        switch self {
        case .tag: ">"
        case .comment: "-->"
        case .script: "</script"
        case .style: "</style"
        case .head: "</head"
        case .title: "</title"
        }
    }

    /// Whether it ends with a name, which a letter or a digit would make another.
    var isName: Bool { self != .tag && self != .comment }
}
