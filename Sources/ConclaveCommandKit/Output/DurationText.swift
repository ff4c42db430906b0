/// Times as people write and read them.
package enum DurationText {
    /// `500ms`, `5s`, `5` (seconds too), `1.5s`, `2m`, `1h`, `1d`; `nil` for anything else, negative ones included.
    package static func parse(_ text: String) -> Duration? {
        let units: [(suffix: String, seconds: Double)] = [
            ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("", 1),
        ]
        // The empty suffix matches everything and stands last.
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }) else { return nil }
        let digits = text.dropLast(unit.suffix.count)
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
            let number = Double(digits), number * unit.seconds <= 1e9
        else { return nil }
        return .milliseconds(Int64((number * unit.seconds * 1000).rounded()))
    }

    /// With three significant digits: `870 µs`, `12.3 ms`, `4.21 s`; from a minute on `3 min 20 s`, `2 h 5 min`, `4 d 3 h`.
    package static func format(_ duration: Duration) -> String {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        if seconds < 0.000_999_5 { return "\(Int((seconds * 1e6).rounded())) µs" }
        if seconds < 0.999_5 { return digits(seconds * 1000) + " ms" }
        if seconds < 59.95 { return digits(seconds) + " s" }
        let whole = Int(seconds.rounded())
        if whole < 3600 { return pair(whole / 60, "min", whole % 60, "s") }
        if whole < 86_400 { return pair(whole / 3600, "h", whole % 3600 / 60, "min") }
        return pair(whole / 86_400, "d", whole % 86_400 / 3600, "h")
    }

    private static func pair(_ large: Int, _ largeUnit: String, _ small: Int, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
    }

    private static func digits(_ value: Double) -> String {
        let places = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        return fixed(value, places: places)
    }

    /// A number with so many places after the point.
    package static func fixed(_ value: Double, places: Int) -> String {
        var scale = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int((value * Double(scale)).rounded())
        guard places > 0 else { return "\(scaled)" }
        let fraction = String(abs(scaled % scale))
        return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}
