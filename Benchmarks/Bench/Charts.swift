import Foundation

/// Charts as SVG, drawn here: the report must need nothing from elsewhere.
enum Charts {
    struct Series {
        let name: String
        let points: [(x: Double, y: Double)]
        var isDashed = false
        /// The number of its colour; its place without one.
        var color: Int?
    }

    private static let width = 680.0
    private static let height = 280.0
    private static let left = 74.0
    private static let bottom = 46.0
    private static let top = 14.0
    private static let right = 36.0

    /// Lines over numbers; `xLabels` names places on the axis, `references` are lines across that name a limit.
    static func lines(
        _ series: [Series], xTitle: String, yTitle: String, xLabels: [(x: Double, text: String)],
        isLogarithmic: Bool = false, marks: [(x: Double, text: String)] = [],
        references: [(y: Double, text: String)] = []
    ) -> String {
        let points = series.flatMap(\.points)
        guard let lowX = points.map(\.x).min(), let highX = points.map(\.x).max() else { return "" }
        let positive = (points.map(\.y) + references.map(\.y)).filter { $0 > 0 }
        guard let highest = positive.max(), let lowest = positive.min() else { return "" }
        let low = isLogarithmic ? pow(10, floor(log10(lowest))) : 0
        let high = isLogarithmic ? pow(10, ceil(log10(highest * 1.01))) : roundedUp(highest)
        func placeX(_ x: Double) -> Double {
            left + (highX == lowX ? 0.5 : (x - lowX) / (highX - lowX)) * (width - left - right)
        }
        func placeY(_ y: Double) -> Double {
            let share =
                isLogarithmic
                ? (log10(max(y, low)) - log10(low)) / (log10(high) - log10(low)) : (y - low) / (high - low)
            return height - bottom - share * (height - bottom - top)
        }
        var svg = open(xTitle: xTitle, yTitle: yTitle)
        for tick in ticks(low, high, isLogarithmic) {
            let y = placeY(tick)
            svg += "<line class='grid' x1='\(left)' x2='\(width - right)' y1='\(text(y))' y2='\(text(y))'/>"
            svg += "<text class='tick' text-anchor='end' x='\(left - 8)' y='\(text(y + 4))'>\(short(tick))</text>"
        }
        for label in xLabels {
            svg += "<text class='tick' text-anchor='middle' x='\(text(placeX(label.x)))' y='\(height - bottom + 18)'>"
            svg += "\(escaped(label.text))</text>"
        }
        for reference in references where reference.y > 0 {
            let y = placeY(reference.y)
            svg += "<line class='reference' x1='\(left)' x2='\(width - right)' y1='\(text(y))' y2='\(text(y))'/>"
            svg += "<text class='tick' text-anchor='end' x='\(width - right)' y='\(text(y - 4))'>"
            svg += "\(escaped(reference.text))</text>"
        }
        for mark in marks {
            let x = text(placeX(mark.x))
            svg += "<line class='mark' x1='\(x)' x2='\(x)' y1='\(top)' y2='\(height - bottom)'/>"
            svg += "<text class='marktext' x='\(text(placeX(mark.x) + 6))' y='\(top + 12)'>\(escaped(mark.text))</text>"
        }
        for (index, one) in series.enumerated() {
            let color = (one.color ?? index) % 4
            let path = one.points.map { "\(text(placeX($0.x))),\(text(placeY($0.y)))" }.joined(separator: " ")
            svg +=
                "<polyline class='series s\(color)\(one.isDashed ? " dashed" : "")' points='\(path)'\(one.points.count > 100 ? " style='stroke-width:1.2'" : "")/>"
            guard one.points.count <= 24 else { continue }
            for point in one.points {
                svg += "<circle class='dot s\(color)' cx='\(text(placeX(point.x)))' cy='\(text(placeY(point.y)))'"
                svg += " r='3.5'><title>\(escaped(one.name)): \(ResultText.number(point.y))</title></circle>"
            }
        }
        return svg + "</svg>" + legend(series.enumerated().map { ($1.name, ($1.color ?? $0) % 4, $1.isDashed) })
    }

    /// Bars side by side, one group for each name, each group in its own scale: units differ.
    static func bars(_ groups: [(name: String, values: [(series: String, value: Double, text: String)])]) -> String {
        guard let first = groups.first else { return "" }
        let rowHeight = 17.0 * Double(first.values.count) + 12
        let all = rowHeight * Double(groups.count) + 8
        var svg = "<svg viewBox='0 0 \(width) \(text(all))' role='img'>"
        for (row, group) in groups.enumerated() {
            let y = Double(row) * rowHeight + 6
            let highest = group.values.map(\.value).max() ?? 0
            svg +=
                "<text class='name' text-anchor='end' x='150' y='\(text(y + rowHeight / 2))'>\(escaped(group.name))</text>"
            for (index, bar) in group.values.enumerated() {
                let length = highest > 0 ? max(1, bar.value / highest * (width - 330)) : 0
                let place = y + Double(index) * 17
                svg +=
                    "<rect class='bar s\(index % 4)' x='158' y='\(text(place))' height='14' width='\(text(length))' rx='2'/>"
                svg +=
                    "<text class='value' x='\(text(158 + length + 6))' y='\(text(place + 11))'>\(escaped(bar.text))</text>"
            }
        }
        return svg + "</svg>" + legend(first.values.enumerated().map { ($1.series, $0 % 4, false) })
    }

    private static func open(xTitle: String, yTitle: String) -> String {
        "<svg viewBox='0 0 \(width) \(height)' role='img'>"
            + "<text class='title' text-anchor='middle' x='\((width + left) / 2)' y='\(height - 8)'>\(escaped(xTitle))</text>"
            + "<text class='title' text-anchor='middle' transform='translate(14 \((height - bottom) / 2)) rotate(-90)'>"
            + "\(escaped(yTitle))</text>"
    }

    private static func legend(_ names: [(text: String, color: Int, isDashed: Bool)]) -> String {
        guard names.count > 1 else { return "" }
        let items = names.map { name in
            let line =
                "<svg class='keyline' viewBox='0 0 26 8'><line class='series s\(name.color)"
                + "\(name.isDashed ? " dashed" : "")' x1='1' x2='25' y1='4' y2='4'/></svg>"
            return "<span class='key'>\(line)\(escaped(name.text))</span>"
        }
        return "<p class='legend'>\(items.joined())</p>"
    }

    private static func ticks(_ low: Double, _ high: Double, _ isLogarithmic: Bool) -> [Double] {
        guard isLogarithmic else { return (0...4).map { low + (high - low) * Double($0) / 4 } }
        return stride(from: log10(low), through: log10(high) + 0.01, by: 1).map { pow(10, $0) }
    }

    /// To a number that divides well by four.
    private static func roundedUp(_ value: Double) -> Double {
        let step = pow(10, floor(log10(value)))
        return [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].map { $0 * step }.first { $0 >= value } ?? value
    }

    private static func short(_ value: Double) -> String {
        if value >= 1_000_000 { return trimmed(value / 1_000_000) + " M" }
        if value >= 1_000 { return trimmed(value / 1_000) + " k" }
        return trimmed(value)
    }

    private static func trimmed(_ value: Double) -> String {
        value == value.rounded() ? String(format: "%.0f", value) : String(format: "%.2g", value)
    }

    private static func text(_ value: Double) -> String { String(format: "%.1f", value) }

    static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: "'", with: "&#39;")
    }
}
