import ConclaveCore

extension ServerConfiguration {
    /// Reads the text of a configuration file in Apache ZooKeeper's format (Java properties).
    ///
    /// The keys are those of Apache's `zoo.cfg`; each may bear the prefix `zookeeper.` of the Java property with the
    /// same meaning. Of a key given twice the last counts. A file that names further files (`dynamicConfigFile`) is
    /// read with ``load(file:)``.
    ///
    /// - Parameters:
    ///   - text: what is in the file.
    ///   - file: its name, for messages.
    /// - Returns: the configuration, and a sentence for every line that has no effect (unknown key, key given again,
    ///   key of Apache's server without a counterpart here) and for every setting that gives up a guarantee.
    /// - Throws: ``ZooKeeperError/Code/badConfiguration``; the message names file, line, key, value and what is
    ///   allowed.
    public static func parse(
        text: String, file: String
    ) throws(ZooKeeperError) -> (configuration: ServerConfiguration, warnings: [String]) {
        var parser = ConfigurationParser(file: file)
        try parser.take(properties(of: file) { () throws(Properties.SyntaxError) in try Properties(text: text) })
        return try parser.finish()
    }

    /// Reads a configuration file from its bytes: UTF-8, or ISO 8859-1 where they are not UTF-8. See
    /// ``parse(text:file:)``.
    public static func parse(
        bytes: [UInt8], file: String
    ) throws(ZooKeeperError) -> (configuration: ServerConfiguration, warnings: [String]) {
        var parser = ConfigurationParser(file: file)
        try parser.take(properties(of: file, bytes))
        return try parser.finish()
    }

    /// Reads the short form of Apache's server command: `CLIENT-PORT DATA-DIR [TICK-TIME] [CONNECTIONS-PER-ADDRESS]`.
    public static func parse(arguments: [String]) throws(ZooKeeperError) -> ServerConfiguration {
        guard (2...4).contains(arguments.count) else {
            let form = "CLIENT-PORT DATA-DIR [TICK-TIME] [CONNECTIONS-PER-ADDRESS]"
            throw ZooKeeperError(.badConfiguration, message: "expected \(form), found \(arguments.count) arguments")
        }
        var parser = ConfigurationParser(file: "command line")
        let keys = ["clientPort", "dataDir", "tickTime", "maxClientCnxns"]
        for (number, argument) in arguments.enumerated() {
            try parser.take(Properties.Entry(key: keys[number], value: argument, line: number + 1))
        }
        return try parser.finish().configuration
    }

    static func properties(of file: String, _ bytes: [UInt8]) throws(ZooKeeperError) -> Properties {
        try properties(of: file) { () throws(Properties.SyntaxError) in try Properties(bytes: bytes) }
    }

    private static func properties(
        of file: String, _ read: () throws(Properties.SyntaxError) -> Properties
    ) throws(ZooKeeperError) -> Properties {
        do {
            return try read()
        } catch {
            throw ZooKeeperError(.badConfiguration, message: "\(file):\(error.line): \(error.message)")
        }
    }
}

extension ConfigurationParser {
    mutating func take(_ properties: Properties) throws(ZooKeeperError) {
        for entry in properties.entries { try take(entry) }
    }
}
