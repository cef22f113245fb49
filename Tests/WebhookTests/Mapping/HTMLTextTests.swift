import TestSupport
import Testing

@testable import Webhook

/// Plain text out of HTML.
struct HTMLTextTests {
    private func plain(_ html: String) -> String { HTMLText.plain(utf8(html)).text }

    @Test(arguments: [
        ("a<br>b<BR/>c<br />d", "a\nb\nc\nd"), ("<p>a</p><p>b</p>", "a\n\nb"), ("<div>a</div><div>b</div>", "a\nb"),
        ("<div>a<br></div><div>b</div>", "a\nb"), ("<div>a</div><br><div>b</div>", "a\n\nb"),
        ("a <b>bold</b>, <i>x</i>", "a bold, x"), ("<ul><li>one</li><li>two</ul>after", "- one\n- two\nafter"),
        ("<table><tr><td>a</td> <td>b</td></tr><tr><td>c</td></tr></table>", "a\tb\nc"),
        ("<div>\n   a\n   b\n</div>", "a b"), ("<pre>a\n  b</pre>c", "a\n  b\nc"),
        ("<html><head><title>t</title><style>p { x: \"</p>\" }</style></head><body>b</body></html>", "b"),
        ("a<script>if (a < b) { \"</b>\" }</script>b", "ab"), ("a<!-- <p> -- > -->b", "ab"),
        ("<!DOCTYPE html><p>a", "a"),
        ("<a href=\"x>y\" title='\"'>link</a>", "link"), ("<p class=MsoNormal>a<o:p></o:p></p>", "a"),
        ("<st1:City w:st=\"on\">Bonn</st1:City><V:shape/>", "Bonn"),
        ("<FIGCAPTION>a</FIGCAPTION><BlockQuote>b</BlockQuote>", "a\nb"),
        ("<head><title>t</title></head><body><header>a</header>b", "a\nb"), ("<head>t<header>a</header>b", "t\na\nb"),
        ("<b>a</b>\u{A0}&nbsp; b", "a b"), ("<h1>T</h1>x", "T\n\nx"), ("", ""), ("<p></p>", ""),
    ])
    func `elements become line breaks or nothing`(html: String, expected: String) { #expect(plain(html) == expected) }

    @Test(arguments: [
        "a < b and c > d", "mail <jo@example.com> now", "see <https://example.com/x>", "if a<b then", "1 < 2", "<",
        "a <", "<>", "</>",
        "line\nbreak  and   spaces", "AT&T & Co; &unknown; &#; &#x; &#xZZ; &amp", "x<y", "<unknown>",
        "see <C:\\temp\\new>\nand <d:>", "<blockquotes>", "<st2:x>", "<st1:>", "<o:", "<o", "<o:p",
    ])
    func `a text without elements stays as it is`(text: String) { #expect(plain(text) == text) }

    @Test(arguments: [
        ("a &amp; b &lt;c&gt; &quot;d&quot; &apos;e&apos;", "a & b <c> \"d\" 'e'"),
        ("&eacute;&Uuml;&szlig;&yuml;&nbsp;&iexcl;", "éÜßÿ ¡"),
        ("&#233;&#xE9;&#x1F600;&#8364;", "éé😀€"), ("&#146;&#150;", "’–"),
        ("&#0;&#xD800;&#x110000;", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("line\n&lt;br&gt;", "line\n<br>"), ("&hellip;&euro;&mdash;", "…€—"), ("&#-5;&#+5;", "&#-5;&#+5;"),
    ])
    func `character references become characters`(html: String, expected: String) { #expect(plain(html) == expected) }

    @Test(arguments: [
        ("<p>a<style>b", "ab"), ("<p>a<!-- b", "a<!-- b"), ("<p>a<b title=\"x>b", "ab"), ("<p>a</p", "a</p"),
        ("<p>a<br", "a<br"),
    ])
    func `what is not closed loses no text`(html: String, expected: String) { #expect(plain(html) == expected) }

    @Test(arguments: [
        "<a \"", "<a '\"", "<a", "<!--", "<style>", "<br><div>", "<", "&", "&#", "<li>", "<p><br>", "</td><td>",
        "<a \"'>'", "\u{A0}",
    ])
    func `the time grows with the length`(piece: String) {
        func duration(_ count: Int) -> Duration {
            let html = utf8("<p>" + String(repeating: piece, count: count / piece.utf8.count))
            return processorTime { _ = HTMLText.plain(html) }
        }
        // A quadratic scan would take 64 times as long; eight times is what is right.
        let short = (0..<3).map { _ in duration(16_384) }.min()!
        let long = (0..<3).map { _ in duration(131_072) }.min()!
        #expect(long < short * 30 + .milliseconds(20))
    }

    @Test func `any bytes of mark-up give valid text`() {
        var random = SplitMix64(seed: 7)
        let tokens = [
            "<", ">", "</", "p", "br", "pre", "style", "li", "td", "&", "amp;", "#", "x", "\"", "'", " ", "\n", "é",
            "😀", "!--", "-->", "=", "a",
        ]
        for _ in 0..<2000 {
            let html = (0..<random.below(30)).map { _ in random.pick(tokens) }.joined()
            let text = HTMLText.plain(utf8(html))
            #expect(String(validating: text, as: UTF8.self) != nil, "\(html)")
            #expect(text.count <= html.utf8.count + 2 * html.utf8.count)
        }
    }
}
