import ConclaveConsensus
import ConclaveCore

/// The main configuration file as a text that the server itself changes: when the ensemble was reconfigured, the list
/// of servers moves into a file of its own.
///
/// Comments, order and spelling of everything else stay as their author left them.
struct StaticFile {
    private let bytes: [UInt8]
    private let properties: Properties

    init(_ bytes: [UInt8]) throws(Properties.SyntaxError) {
        self.bytes = bytes
        properties = try Properties(bytes: bytes)
    }

    /// Whether the list of servers stands in this file.
    var holdsList: Bool { properties.entries.contains { ServerList.contains(key: $0.key) } }

    /// The file without a list of servers, and with the name of the file that holds it instead.
    ///
    /// - Parameter dropsClientPort: whether the list says where this server's clients connect, so that the file must
    ///   not.
    func naming(dynamicFile path: String, dropsClientPort: Bool) -> [UInt8] {
        var dropped: Set<Int> = []
        for entry in properties.entries where Self.isReplaced(entry.key, dropsClientPort: dropsClientPort) {
            dropped.formUnion(entry.line...entry.lastLine)
        }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + path.utf8.count + 32)
        for (index, line) in naturalLines().enumerated() where !dropped.contains(index + 1) {
            result.append(contentsOf: line)
        }
        if let last = result.last, last != UInt8(ascii: "\n"), last != UInt8(ascii: "\r") {
            result.append(UInt8(ascii: "\n"))
        }
        result.append(contentsOf: "dynamicConfigFile=\(Self.escaped(path))\n".utf8)
        return result
    }

    private static func isReplaced(_ key: String, dropsClientPort: Bool) -> Bool {
        if ServerList.contains(key: key) { return true }
        switch ConfigurationKey.find(key)?.name {
        case "dynamicConfigFile", "peerType": return true
        case "clientPort", "clientPortAddress": return dropsClientPort
        default: return false
        }
    }

    /// Lines with what ends them. Their numbers are those of the characters' lines: neither encoding has other bytes
    /// that look like the end of a line.
    private func naturalLines() -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        var index = 0
        while index < bytes.count {
            let isReturn = bytes[index] == UInt8(ascii: "\r")
            if isReturn || bytes[index] == UInt8(ascii: "\n") {
                if isReturn, index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "\n") { index += 1 }
                lines.append(bytes[start...index])
                start = index + 1
            }
            index += 1
        }
        if start < bytes.count { lines.append(bytes[start...]) }
        return lines
    }

    /// A value that Java reads back as it was, whatever it takes the file's encoding for.
    static func escaped(_ value: String) -> String {
        var result = ""
        for unit in value.utf16 {
            switch unit {
            case 0x5C: result += #"\\"#
            case 0x20 where result.isEmpty: result += #"\ "#
            case 0x20..<0x7F: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default:
                let digits = String(unit, radix: 16)
                result += #"\u"# + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return result
    }
}
