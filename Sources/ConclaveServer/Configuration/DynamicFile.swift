import ConclaveCore

/// A file that holds the list of servers and nothing else.
///
/// `<file>.dynamic.<version>` holds the list of one version; `<file>.dynamic.next`, which bears its version inside, a
/// change that was proposed and is not known to be committed.
struct DynamicFile {
    var list = ServerList()
    private(set) var reader: ValueReader
    private var lines: [String: Int] = [:]

    init(file: String) { reader = ValueReader(file: file) }

    mutating func take(_ properties: Properties, versionIsAllowed: Bool) throws(ZooKeeperError) {
        for entry in properties.entries {
            if let earlier = lines.updateValue(entry.line, forKey: entry.key) {
                reader.warn(entry.line, "\(entry.key) is given again; line \(earlier) no longer counts")
            }
            if ServerList.contains(key: entry.key) {
                try list.take(entry, reader)
            } else if entry.key == "version" {
                guard versionIsAllowed else { throw reader.bad(entry, "the version stands in the name of this file") }
                guard let version = Self.version(entry.value) else {
                    throw reader.bad(entry, "must be a hexadecimal number")
                }
                list.version = version
            } else {
                throw reader.bad(entry, "only server., group. and weight. may stand in a file with a server list")
            }
        }
    }

    /// What stands behind the last dot of the name, if that is a hexadecimal number; else 0, the version of lists that
    /// were never changed.
    static func version(ofFileNamed name: String) -> Int64 {
        guard let dot = name.lastIndex(of: ".") else { return 0 }
        return version(String(name[name.index(after: dot)...])) ?? 0
    }

    private static func version(_ text: String) -> Int64? {
        guard text.first != "+", let bits = UInt64(text, radix: 16) else { return nil }
        return Int64(bitPattern: bits)
    }
}
