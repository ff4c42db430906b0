import ConclaveCore

/// Turns the values of one file into settings, and keeps what its user should be told.
struct ValueReader {
    typealias Entry = Properties.Entry

    /// The name of the file, for messages.
    let file: String
    /// Sentences, each with file and line.
    private(set) var warnings: [String] = []

    init(file: String) { self.file = file }

    /// Does what a key does, save for keys with a form of their own: those come back.
    mutating func apply<Root: Configurable>(
        _ effect: ConfigurationKey.Effect<Root>, of entry: Entry, to root: inout Root
    ) throws(ZooKeeperError) -> Root.Special? {
        switch effect {
        case .text(let property):
            guard !entry.value.isEmpty else { throw bad(entry, "must not be empty") }
            root[keyPath: property] = entry.value
        case .optionalText(let property):
            root[keyPath: property] = entry.value.isEmpty ? nil : entry.value
        case .number(let property, let range, let unit):
            root[keyPath: property] = try number(entry, in: range, unit: unit)
        case .limit(let property, let unit):
            root[keyPath: property] = max(0, try number(entry, in: Self.anyInt32, unit: unit + ", 0 for no limit"))
        case .optionalNumber(let property, let unit):
            let value = try number(entry, in: Self.anyInt32, unit: unit + ", -1 for the default")
            root[keyPath: property] = value > 0 ? value : nil
        case .optionalKibibytes(let property):
            let kibibytes = try number(entry, in: Self.anyKibibytes, unit: "KiB, 0 for off")
            root[keyPath: property] = kibibytes > 0 ? Int64(kibibytes) << 10 : nil
        case .flag(let property):
            root[keyPath: property] = try flag(entry)
        case .yesOrNo(let property):
            root[keyPath: property] = try flag(entry, Self.yesOrNo)
        case .special(let special):
            return special
        case .ignored(let reason, let harmless):
            if let reason, !harmless.contains(entry.value.lowercased()) {
                warn(entry.line, "\(entry.key) has no effect: \(reason)")
            }
        case .refused(let reason, let harmless):
            guard harmless.contains(entry.value.lowercased()) else { throw bad(entry, reason) }
        }
        return nil
    }

    // MARK: Values

    static let anyInt32 = Int(Int32.min)...Int(Int32.max)
    /// As many as can be expressed in bytes.
    static let anyKibibytes = -1...(Int.max >> 10)

    private static let yesOrNo = ["yes": true, "true": true, "no": false, "false": false]

    func number(_ entry: Entry, in range: ClosedRange<Int>, unit: String) throws(ZooKeeperError) -> Int {
        guard let value = Int(entry.value), range.contains(value) else {
            let bounds = range == Self.anyInt32 ? "" : " from \(range.lowerBound) to \(range.upperBound)"
            throw bad(entry, "must be a whole number\(bounds) (\(unit))")
        }
        return value
    }

    /// A number that is raised to the least one that makes sense.
    mutating func raised(_ entry: Entry, to minimum: Int, unit: String) throws(ZooKeeperError) -> Int {
        let count = try number(entry, in: Self.anyInt32, unit: unit)
        if count < minimum { warn(entry.line, "\(entry.key)=\(count) is raised to the minimum, \(minimum)") }
        return max(minimum, count)
    }

    func flag(_ entry: Entry, _ values: [String: Bool] = ["true": true, "false": false]) throws(ZooKeeperError) -> Bool
    {
        guard let value = values[entry.value.lowercased()] else {
            throw bad(entry, values.count == 2 ? "must be true or false" : "must be yes or no")
        }
        return value
    }

    /// Seconds; hours in the file unless a letter says something else.
    func interval(_ entry: Entry) throws(ZooKeeperError) -> Int {
        let units: [Character: Int] = ["d": 86_400, "h": 3600, "m": 60, "s": 1]
        let unit = entry.value.last.flatMap { units[$0] }
        let digits = unit == nil ? entry.value[...] : entry.value.dropLast()
        guard let count = Int(digits), (0...Int(Int32.max)).contains(count) else {
            throw bad(entry, "must be a number of hours, or a number with d, h, m or s; 0 for never")
        }
        return count * (unit ?? 3600)
    }

    mutating func words(_ entry: Entry) -> ServerConfiguration.FourLetterWords {
        let words = entry.value.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) }
        if words.contains("*") { return .all }
        for word in words where word.utf8.count != 4 {
            warn(entry.line, "\(entry.key): \"\(word)\" is no word of four letters")
        }
        return .only(Set(words))
    }

    // MARK: Messages

    mutating func warn(_ line: Int, _ sentence: String) { warnings.append("\(file):\(line): \(sentence)") }

    mutating func warn(_ sentence: String) { warnings.append("\(file): \(sentence)") }

    /// A line that cannot be used; the message names file, line, key and value.
    func bad(_ entry: Entry, _ sentence: String, hidingValue: Bool = false) -> ZooKeeperError {
        let value = hidingValue ? "(hidden)" : entry.value
        return error(at: entry.line, "\(entry.key)=\(value): \(sentence)")
    }

    func error(at line: Int, _ sentence: String) -> ZooKeeperError {
        ZooKeeperError(.badConfiguration, message: line > 0 ? "\(file):\(line): \(sentence)" : "\(file): \(sentence)")
    }

    func missing(_ key: String, _ meaning: String) -> ZooKeeperError { error(at: 0, "\(key) is missing: \(meaning)") }
}
