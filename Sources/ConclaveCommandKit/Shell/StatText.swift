import ConclaveCore

/// A stat as the reference's shell prints it, one field per line.
package enum StatText {
    package static func lines(_ stat: Stat, date: (Int64) -> String = DateText.java) -> [String] {
        [
            "cZxid = \(stat.czxid)",
            "ctime = \(date(stat.ctime))",
            "mZxid = \(stat.mzxid)",
            "mtime = \(date(stat.mtime))",
            "pZxid = \(stat.pzxid)",
            "cversion = \(stat.cversion)",
            "dataVersion = \(stat.version)",
            "aclVersion = \(stat.aversion)",
            "ephemeralOwner = \(stat.ephemeralOwner)",
            "dataLength = \(stat.dataLength)",
            "numChildren = \(stat.numChildren)",
        ]
    }
}
