import ConclaveConsensus
import ConclaveCore

extension ServerConfiguration {
    /// Reads a configuration file and, for a member of an ensemble, the files that go with it: the list of servers if
    /// it stands in a file of its own (`dynamicConfigFile`), a change that was under way (`<file>.dynamic.next`), and
    /// the number of this server (`myid` in the data directory). Blocks.
    ///
    /// Relative paths start at the working directory. Nothing is written.
    /// - Returns: as ``parse(text:file:)``.
    /// - Throws: ``ZooKeeperError/Code/badConfiguration``; the message names file, line, key, value and what is
    ///   allowed.
    public static func load(
        file: String
    ) throws(ZooKeeperError) -> (configuration: ServerConfiguration, warnings: [String]) {
        var parser = ConfigurationParser(file: file)
        try parser.take(properties(of: file, required(file)))
        let files = ConfigurationFiles(main: file)
        if let dynamic = parser.dynamicFile {
            let bytes = try required(dynamic.path)
            try parser.takeDynamic(
                properties(of: dynamic.path, bytes), version: DynamicFile.version(ofFileNamed: dynamic.path))
            // As long as the list stands in the main file, a change cannot have been under way.
            if let bytes = try read(files.next) {
                try parser.takePending(properties(of: files.next, bytes), file: files.next)
            }
        }
        var (configuration, warnings) = try parser.finish()
        configuration.ensemble?.files = files
        warnings += try configuration.identify()
        return (configuration, warnings)
    }

    /// Settles which member of its ensemble a server is: the one that the settings name, or else the one that the file
    /// `myid` in its data directory names, a whole number in the first line. Nothing happens to a server that stands
    /// alone, or the second time. Blocks.
    package mutating func identify() throws(ZooKeeperError) -> [String] {
        guard let ensemble else { return [] }
        if let id = ensemble.myID { return try identify(as: id) }
        let path = dataDirectory + (dataDirectory.hasSuffix("/") ? "" : "/") + "myid"
        guard let bytes = try Self.read(path) else {
            let text = "the file is missing: it holds the number N of this server's line server.N"
            throw ZooKeeperError(.badConfiguration, message: "\(path): \(text)")
        }
        let lines = String(decoding: bytes, as: UTF8.self)
            .split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let line = String(lines[0].filter { !$0.isWhitespace })
        guard let number = Int64(line) else {
            throw ZooKeeperError(
                .badConfiguration, message: "\(path): must hold a whole number, found \"\(line.prefix(40))\"")
        }
        do throws(ZooKeeperError) {
            return try identify(as: ServerID(rawValue: number))
        } catch {
            // What contradicts another line names that line itself.
            guard ensemble.configuration.member(ServerID(rawValue: number)) == nil else { throw error }
            throw ZooKeeperError(.badConfiguration, message: "\(path): \(error.message)")
        }
    }

    private static func required(_ path: String) throws(ZooKeeperError) -> [UInt8] {
        guard let bytes = try read(path) else {
            throw ZooKeeperError(.badConfiguration, message: "\(path): No such file or directory")
        }
        return bytes
    }

    private static func read(_ path: String) throws(ZooKeeperError) -> [UInt8]? {
        do {
            return try ConfigurationFiles.read(path)
        } catch {
            throw ZooKeeperError(.badConfiguration, message: error.description)
        }
    }
}
