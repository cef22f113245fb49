import Bytes

/// A character reference of HTML: `&amp;`, `&#233;`, `&#xE9;`.
enum CharacterReference {
    /// Bytes of a reference, at most; no name in use here has more.
    private static let limit = 10
    /// U+00A0 to U+00FF, in their order.
    private static let latin = """
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro \
        para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil \
        Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave \
        Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml \
        igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute \
        thorn yuml
        """
    private static let others: [(String, Unicode.Scalar)] = [
        ("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'"), ("OElig", "Œ"), ("oelig", "œ"),
        ("Scaron", "Š"), ("scaron", "š"), ("Yuml", "Ÿ"), ("ensp", "\u{2002}"), ("emsp", "\u{2003}"),
        ("thinsp", "\u{2009}"), ("zwnj", "\u{200C}"), ("zwj", "\u{200D}"), ("ndash", "–"), ("mdash", "—"),
        ("lsquo", "‘"), ("rsquo", "’"), ("sbquo", "‚"), ("ldquo", "“"), ("rdquo", "”"), ("bdquo", "„"), ("bull", "•"),
        ("hellip", "…"), ("permil", "‰"), ("lsaquo", "‹"), ("rsaquo", "›"), ("euro", "€"), ("trade", "™"),
        ("larr", "←"), ("uarr", "↑"), ("rarr", "→"), ("darr", "↓"), ("harr", "↔"), ("minus", "−"), ("ne", "≠"),
        ("le", "≤"), ("ge", "≥"), ("check", "✓"),
    ]
    private static let names: [[UInt8]: Unicode.Scalar] = {
        var names: [[UInt8]: Unicode.Scalar] = [:]
        for (index, name) in latin.split(separator: " ").enumerated() {
            names[Array(name.utf8)] = Unicode.Scalar(UInt32(0xA0 + index))
        }
        for (name, scalar) in others { names[Array(name.utf8)] = scalar }
        return names
    }()
    /// What the numbers 128 to 159 stand for: the characters of Windows-1252 (HTML Standard, "Numeric character reference
    /// end state").
    private static let windows = Array(
        "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ".unicodeScalars)

    /// The reference that begins at `start` with `&`: its character, and the index after it. Nil if none does.
    static func read(_ html: [UInt8], from start: Int) -> (scalar: Unicode.Scalar, end: Int)? {
        let candidate = html[(start + 1)...].prefix(limit)
        guard let end = candidate.firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let name = Array(candidate[..<end])
        let scalar = name.first == UInt8(ascii: "#") ? numeric(name.dropFirst()) : names[name]
        return scalar.map { ($0, end + 1) }
    }

    private static func numeric(_ digits: ArraySlice<UInt8>) -> Unicode.Scalar? {
        let isHex = digits.first?.lowercased == UInt8(ascii: "x")
        let text = String(decoding: isHex ? digits.dropFirst() : digits, as: UTF8.self)
        // A sign would be taken for a part of the number.
        guard text.utf8.first?.hexValue != nil, let number = UInt32(text, radix: isHex ? 16 : 10) else { return nil }
        if (128...159).contains(number) { return windows[Int(number) - 128] }
        // Neither U+0000 nor a surrogate can be shown.
        return number == 0 ? "\u{FFFD}" : Unicode.Scalar(number) ?? "\u{FFFD}"
    }
}
