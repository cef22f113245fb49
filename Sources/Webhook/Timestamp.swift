import Bytes

/// Dates and times of RFC 3339.
package enum Timestamp {
    /// Bytes of a date-time, at most: 40 digits after the second are more than any clock has.
    package static let limit = 66
    /// Seconds from 1970 to the end of the year 9999.
    package static let lastSecond = 253_402_300_799

    /// Whether text is a `date-time` of RFC 3339, section 5.6, with a real calendar date.
    ///
    /// The year 0000, a 60th second, and a time that is not in the years 1 to 9999 of UTC are not accepted: the readers of
    /// the queue cannot represent them.
    package static func isDateTime(_ text: Span<UInt8>) -> Bool { hasForm(text) && isInRange(text) }

    private static func hasForm(_ text: Span<UInt8>) -> Bool {
        guard (20...limit).contains(text.count), isDate(text), text[10].lowercased == UInt8(ascii: "t"), isTime(text)
        else { return false }
        var index = 19
        if text[index] == UInt8(ascii: ".") {
            index += 1
            let first = index
            while index < text.count && text[index].isDigit { index += 1 }
            guard index > first && index < text.count else { return false }
        }
        if text[index].lowercased == UInt8(ascii: "z") { return index + 1 == text.count }
        guard index + 6 == text.count, text[index] == UInt8(ascii: "+") || text[index] == UInt8(ascii: "-"),
            let hours = number(text, index + 1, 2), text[index + 3] == UInt8(ascii: ":"),
            let minutes = number(text, index + 4, 2)
        else { return false }
        return hours < 24 && minutes < 60
    }

    /// Whether UTC has a year of four digits for it; an offset can move it into the year 0 or 10000.
    private static func isInRange(_ text: Span<UInt8>) -> Bool {
        guard let year = number(text, 0, 4), year == 1 || year == 9999 else { return true }
        return (-62_135_596_800...lastSecond).contains(seconds(of: text))
    }

    /// Writes the letters of a `date-time` in upper case, as ISO 8601 has them and some parsers require.
    static func capitalize(_ text: inout [UInt8]) {
        text[10] = UInt8(ascii: "T")
        if text[text.count - 1] == UInt8(ascii: "z") { text[text.count - 1] = UInt8(ascii: "Z") }
    }

    private static func isDate(_ text: Span<UInt8>) -> Bool {
        guard let year = number(text, 0, 4), let month = number(text, 5, 2), let day = number(text, 8, 2),
            text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"), year >= 1, (1...12).contains(month)
        else { return false }
        return day >= 1 && day <= days(in: month, of: year)
    }

    private static func isTime(_ text: Span<UInt8>) -> Bool {
        guard let hour = number(text, 11, 2), let minute = number(text, 14, 2), let second = number(text, 17, 2),
            text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":")
        else { return false }
        return hour < 24 && minute < 60 && second < 60
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func number(_ text: Span<UInt8>, _ start: Int, _ digits: Int) -> Int? {
        text.extracting(start..<start + digits).decimal
    }

    /// The 27 characters of a moment in UTC with microseconds, e.g. `2026-11-24T10:29:24.123456Z`.
    ///
    /// From -62,135,596,800,000,000 (the year 1) to 253,402,300,799,999,999 (the year 9999) microseconds since 1970.
    package static func format(_ microseconds: Int64) -> [UInt8] {
        let (second, fraction) = floorDivide(Int(microseconds), 1_000_000)
        let (day, time) = floorDivide(second, 86_400)
        let date = civil(day)
        var text: [UInt8] = []
        text.reserveCapacity(27)
        text.append(decimal: date.year, width: 4)
        text.append("-")
        text.append(decimal: date.month, width: 2)
        text.append("-")
        text.append(decimal: date.day, width: 2)
        text.append("T")
        text.append(decimal: time / 3600, width: 2)
        text.append(":")
        text.append(decimal: time / 60 % 60, width: 2)
        text.append(":")
        text.append(decimal: time % 60, width: 2)
        text.append(".")
        text.append(decimal: fraction, width: 6)
        text.append("Z")
        return text
    }

    /// A moment in UTC, to the second: `2026-11-24T10:29:24Z`. From the year 1 to the year 9999.
    package static func text(_ seconds: Int) -> String {
        String(decoding: format(Int64(seconds) * 1_000_000).prefix(19), as: UTF8.self) + "Z"
    }

    /// Seconds since 1970 of a `date-time` that `isDateTime` accepts; fractions are dropped.
    package static func seconds(of text: Span<UInt8>) -> Int {
        func field(_ start: Int, _ digits: Int) -> Int { number(text, start, digits) ?? 0 }
        let date = days(field(0, 4), field(5, 2), field(8, 2))
        let seconds = date * 86_400 + field(11, 2) * 3600 + field(14, 2) * 60 + field(17, 2)
        guard text[text.count - 1].lowercased != UInt8(ascii: "z") else { return seconds }
        let start = text.count - 6
        let offset = field(start + 1, 2) * 3600 + field(start + 4, 2) * 60
        return text[start] == UInt8(ascii: "+") ? seconds - offset : seconds + offset
    }

    /// Days from 1970-01-01 to a Gregorian date, by way of years that begin in March.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month > 2 ? month - 3 : month + 9
        let (era, yearOfEra) = floorDivide(month > 2 ? year : year - 1, 400)
        let dayOfYear = (153 * shifted + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func floorDivide(_ a: Int, _ b: Int) -> (quotient: Int, remainder: Int) {
        let remainder = (a % b + b) % b
        return ((a - remainder) / b, remainder)
    }

    /// The Gregorian date of a day counted from 1970-01-01, by way of years that begin in March.
    private static func civil(_ day: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = floorDivide(day + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
