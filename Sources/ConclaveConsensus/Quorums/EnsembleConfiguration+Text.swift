import ConclaveCore

/// The text of a configuration: what `/zookeeper/config` holds, dynamic configuration files contain and servers
/// exchange.
///
/// ```
/// server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
/// server.2=10.0.0.2:2888:3888:observer
/// group.1=1:2
/// weight.1=1
/// version=100000000
/// ```
extension EnsembleConfiguration {
    /// The longest text that is read, in UTF-8 bytes; what a vote may carry.
    package static let maximumTextBytes = 524_288

    /// Reads a text; lines may stand in any order, empty lines and those that begin with `#` or `!` are skipped.
    ///
    /// Anything else than `server.`, `group.`, `weight.` and `version` is an error. A missing `version` counts as 0.
    package init(text: String) throws(EnsembleConfigurationError) {
        guard text.utf8.count <= Self.maximumTextBytes else {
            throw .malformed("the text of a configuration has at most \(Self.maximumTextBytes) bytes")
        }
        var parser = TextParser()
        var number = 0
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            number += 1
            do {
                try parser.read(TextParser.trimmed(line))
            } catch {
                throw error.at(line: number)
            }
        }
        try self.init(
            members: parser.members, groups: parser.groups, weights: parser.weights, version: parser.version ?? 0)
    }

    /// The text as the reference prints it, lines in the order of the ids, without a newline behind the version.
    package var text: String { textWithoutVersion + "version=" + String(UInt64(bitPattern: version), radix: 16) }

    /// The lines before the version, each with its newline: what dynamic configuration files hold.
    package var textWithoutVersion: String {
        var text = ""
        for member in members { text += "server.\(member.id)=\(member.specification)\n" }
        for group in groups {
            text += "group.\(group.id)=" + group.members.map(\.description).joined(separator: ":") + "\n"
        }
        for weight in weights { text += "weight.\(weight.server)=\(weight.weight)\n" }
        return text
    }

    /// Collects the lines of one text.
    private struct TextParser {
        var members: [EnsembleMember] = []
        var groups: [Group] = []
        var weights: [Weight] = []
        var version: Int64?

        mutating func read(_ line: Substring) throws(EnsembleConfigurationError) {
            guard let first = line.first, first != "#", first != "!" else { return }
            guard let equals = line.firstIndex(of: "=") else { throw .malformed("a line looks like KEY=VALUE") }
            let key = Self.trimmed(line[..<equals])
            let value = Self.trimmed(line[line.index(after: equals)...])
            if let rest = Self.rest(of: key, behind: "server.") {
                guard members.count < EnsembleConfiguration.maximumMembers else {
                    throw .malformed("an ensemble has at most \(EnsembleConfiguration.maximumMembers) servers")
                }
                let id = ServerID(rawValue: try Self.number(rest))
                members.append(try EnsembleMember(id: id, specification: value))
            } else if let rest = Self.rest(of: key, behind: "group.") {
                try readGroup(id: try Self.number(rest), value)
            } else if let rest = Self.rest(of: key, behind: "weight.") {
                guard weights.count < EnsembleConfiguration.maximumMembers else { throw .malformed("too many weights") }
                let server = ServerID(rawValue: try Self.number(rest))
                weights.append(Weight(server: server, weight: try Self.number(value)))
            } else if key == "version" {
                guard version == nil else { throw .malformed("the version is named twice") }
                guard let bits = UInt64(value, radix: 16), value.first != "+" else {
                    throw .malformed("the version is a hexadecimal number")
                }
                version = Int64(bitPattern: bits)
            } else {
                throw .malformed("only server., group., weight. and version may stand here, not \"\(key.prefix(100))\"")
            }
        }

        private mutating func readGroup(id: Int64, _ value: Substring) throws(EnsembleConfigurationError) {
            let parts = value.split(separator: ":", omittingEmptySubsequences: false)
            guard groups.count < EnsembleConfiguration.maximumMembers,
                parts.count <= EnsembleConfiguration.maximumMembers
            else { throw .malformed("too many groups") }
            var servers: [ServerID] = []
            for part in parts { servers.append(ServerID(rawValue: try Self.number(Self.trimmed(part)))) }
            groups.append(Group(id: id, members: servers))
        }

        private static func rest(of key: Substring, behind prefix: String) -> Substring? {
            key.hasPrefix(prefix) ? key.dropFirst(prefix.count) : nil
        }

        private static func number(_ text: Substring) throws(EnsembleConfigurationError) -> Int64 {
            guard let number = Int64(text), text.first != "+" else {
                throw .malformed("\"\(text.prefix(100))\" is not a whole number")
            }
            return number
        }

        static func trimmed(_ text: Substring) -> Substring {
            var text = text.drop { $0.isWhitespace }
            while let last = text.last, last.isWhitespace { text.removeLast() }
            return text
        }
    }
}
