import TestSupport
import Testing
import Webhook

struct TimestampTests {
    private func isDateTime(_ text: String) -> Bool { Timestamp.isDateTime(utf8(text).span) }

    @Test(arguments: [
        "2026-11-24T10:29:24Z", "2026-11-24T10:29:24.123456Z", "2026-11-24T10:29:24+01:00", "2026-11-24T10:29:24-00:00",
        "2026-11-24T10:29:24.1-11:30", "2026-11-24t10:29:24z", "2026-11-24T00:00:00Z", "2026-11-24T23:59:59Z",
        "2026-11-24T10:29:24+23:59", "2026-11-24T10:29:24-23:59", "2024-02-29T00:00:00Z", "2000-02-29T00:00:00Z",
        "2400-02-29T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-01-31T00:00:00Z",
        "2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z", "2026-12-31T00:00:00Z", "2026-11-24T10:29:24.0Z",
        "2026-11-24T10:29:24.0123456789012345678901234567890123456789Z",
        "2026-11-24T10:29:24.0123456789012345678901234567890123456789+01:00",
    ])
    func `a date-time of RFC 3339 is accepted`(text: String) {
        #expect(isDateTime(text))
    }

    @Test(arguments: [
        "", "Z", "2026-11-24", "10:29:24Z", "2026-11-24T10:29Z", "2026-11-24T10:29:24", "2026-11-24 10:29:24Z",
        "2026-11-24_10:29:24Z", "2026-11-24T10:29:24 Z", " 2026-11-24T10:29:24Z", "2026-11-24T10:29:24Z ",
        "2026-11-24T10:29:24ZZ", "2026-11-24T10:29:24.Z", "2026-11-24T10:29:24.+01:00", "2026-11-24T10:29:24,5Z",
        "2026-11-24T10:29:24.5", "2026-11-24T10:29:24+0100", "2026-11-24T10:29:24+01", "2026-11-24T10:29:24+1:00",
        "2026-11-24T10:29:24+01:0", "2026-11-24T10:29:24+01:000", "2026-11-24T10:29:24+24:00",
        "2026-11-24T10:29:24+01:60",
        "2026-11-24T10:29:24-24:00", "2026-11-24T10:29:24*01:00", "2026-11-24T10:29:24+01.00",
        "2026-11-24T10:29:24+01:00Z",
        "2026-11-24T10:29:24Z+01:00", "2026-11-24T10:29:24.5.5Z", "2026-11-24T24:00:00Z", "2026-11-24T10:60:00Z",
        "2026-11-24T10:29:61Z", "2026-11-24T25:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-02-29T00:00:00Z", "2026-02-30T00:00:00Z",
        "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-06-31T00:00:00Z", "2026-09-31T00:00:00Z", "2026-11-31T00:00:00Z", "2026-1-24T10:29:24Z",
        "26-11-24T10:29:24Z", "12026-11-24T10:29:24Z", "+2026-11-24T10:29:24Z", "-026-11-24T10:29:24Z",
        "2026/11/24T10:29:24Z", "20261124T102924Z", "2026-W48-2T10:29:24Z", "2026-328T10:29:24Z",
        "2026-11-24T10.29.24Z",
        "２０２６-11-24T10:29:24Z", "2026-11-24T10:29:2aZ", "2026-11-24T1 :29:24Z", "2026-11-24T10:29:24\0",
        "2026-11-24T10:29:24.01234567890123456789012345678901234567890Z+", "now", "1764000000",
        "2026-11-24T10:29:24.012345678901234567890123456789012345678901234567Z",
    ])
    func `text in any other form, or of no real date, is refused`(text: String) {
        #expect(!isDateTime(text))
    }

    /// The readers of the queue, such as Python's datetime, support neither.
    @Test(arguments: ["0000-01-01T00:00:00Z", "2016-12-31T23:59:60Z"])
    func `the year 0000 and leap seconds are refused`(text: String) {
        #expect(!isDateTime(text))
    }

    @Test(arguments: [
        ("0001-01-01T00:00:00+00:01", false), ("0001-01-01T00:00:00.9+00:01", false),
        ("0001-01-01T00:01:00+00:01", true),
        ("0001-01-01T00:00:00-00:01", true), ("9999-12-31T23:59:59-00:01", false),
        ("9999-12-31T23:58:59.9-00:01", true),
        ("9999-12-31T23:59:59+00:01", true), ("0001-06-01T00:00:00+23:59", true), ("9999-06-01T00:00:00-23:59", true),
    ])
    func `a time that UTC has in the year 0 or 10000 is refused`(text: String, isAccepted: Bool) {
        #expect(isDateTime(text) == isAccepted)
    }

    @Test func `a date-time cut off anywhere is refused`() {
        for text in ["2026-11-24T10:29:24.123456+01:00", "2026-11-24T10:29:24+01:00"] {
            for end in 0..<text.utf8.count { #expect(!isDateTime(String(text.prefix(end)))) }
        }
    }

    @Test func `a date-time with a stray byte anywhere is refused`() {
        let text = utf8("2026-11-24T10:29:24+01:00")
        for index in text.indices {
            for byte in UInt8.min...UInt8.max where !(0x30...0x39).contains(byte) && byte != text[index] {
                var other = text
                other[index] = byte
                let isAnotherForm = [10: [0x74], 19: [0x2D]][index]?.contains(byte) ?? false
                if Timestamp.isDateTime(other.span) != isAnotherForm { Issue.record("\(other.text)") }
            }
        }
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (1, "1970-01-01T00:00:00.000001Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (1_764_000_000_123_456, "2025-11-24T16:00:00.123456Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000000Z"),
            (1_709_251_199_999_999, "2024-02-29T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (4_107_542_399_000_000, "2100-02-28T23:59:59.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
        ] as [(Int64, String)])
    func `a moment is written in UTC with microseconds`(microseconds: Int64, expected: String) {
        #expect(Timestamp.format(microseconds).text == expected)
    }

    @Test func `every day from 1896 to 2104 follows the one before`() {
        // From 1896 to 2104, counted day by day.
        let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var (year, month, day) = (1896, 1, 1)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        for count in -27_028..<48_942 {
            let text = Timestamp.format(Int64(count) * 86_400_000_000).text
            if !text.hasPrefix("\(year)-\(two(month))-\(two(day))T00:00:00.") { Issue.record("\(text)") }
            let isLeap = year % 4 == 0 && year != 1900 && year != 2100
            day += 1
            if day > days[month - 1] + (month == 2 && isLeap ? 1 : 0) { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
        #expect(year == 2104 && month == 1 && day == 1)
    }

    @Test func `a moment that was written is read as the same second`() {
        var random = SplitMix64(seed: 19)
        for _ in 0..<2000 {
            let moment = Int64(random.next() % 315_537_897_600_000_000) - 62_135_596_800_000_000
            let second = (moment >= 0 ? moment : moment - 999_999) / 1_000_000
            let read = Timestamp.seconds(of: Timestamp.format(moment).span)
            if read != Int(second) { Issue.record("\(moment): \(read)") }
        }
        for (text, seconds) in [
            ("1970-01-01T00:00:00z", 0), ("1970-01-01T01:00:00+01:00", 0), ("1969-12-31T23:29:59.5-00:30", -1),
            ("2000-02-29T12:00:00.123Z", 951_825_600),
        ] {
            let bytes = utf8(text)
            let read = Timestamp.seconds(of: bytes.span)
            #expect(read == seconds)
        }
    }

    @Test func `a moment that was written is a valid date-time`() {
        var random = SplitMix64(seed: 17)
        for _ in 0..<2000 {
            let moment = Int64(random.next() % 315_537_897_600_000_000) - 62_135_596_800_000_000
            if !Timestamp.isDateTime(Timestamp.format(moment).span) { Issue.record("\(moment)") }
        }
    }
}
