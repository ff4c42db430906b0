import ConclaveCore
import ConclaveNode
import ConclaveSystem

/// What four-letter words are told about process and disk.
extension ServerShell {
    func adminFacts() -> AdminFacts {
        let sizes = (
            snapshots: directorySize(configuration.dataDirectory + "/version-2"),
            logs: directorySize(configuration.logDirectory + "/version-2")
        )
        let process = ProcessStatistics.current()
        return AdminFacts(
            configuration: configuration, port: port, started: started, now: SystemClock.now(),
            wall: SystemClock.wallTime(), snapshotBytes: sizes.snapshots, logBytes: sizes.logs,
            storage: storageStatistics, openDescriptors: process.openDescriptors ?? 0,
            maximumDescriptors: process.maximumDescriptors ?? 0, environment: environment(),
            ensemble: node?.report)
    }

    /// The bytes of the files in a folder; what cannot be read counts as nothing.
    private func directorySize(_ directory: String) -> Int64 {
        var disk = FileDisk()
        guard let names = try? disk.list(directory) else { return 0 }
        return names.reduce(0) { sum, name in
            guard let file = try? disk.open(directory + "/" + name) else { return sum }
            defer { disk.close(file) }
            return sum + ((try? disk.size(of: file)) ?? 0)
        }
    }

    /// The keys of the reference's `envi`; what is about Java there tells of Swift here.
    private func environment() -> [(key: String, value: String)] {
        let system = HostFacts.current
        return [
            ("zookeeper.version", ServerVersion.text), ("host.name", system.hostName),
            ("java.version", "none (Swift)"), ("java.vendor", "none"), ("java.home", ""), ("java.class.path", ""),
            ("java.library.path", ""), ("java.io.tmpdir", "/tmp"), ("java.compiler", "none"),
            ("os.name", system.operatingSystem), ("os.arch", system.architecture), ("os.version", system.release),
            ("user.name", system.userName), ("user.home", system.homeDirectory), ("user.dir", system.workingDirectory),
            ("os.memory.free", "\(system.freeMemoryBytes >> 20)MB"),
            ("os.memory.max", "\(system.totalMemoryBytes >> 20)MB"),
            ("os.memory.total", "\(system.totalMemoryBytes >> 20)MB"),
        ]
    }
}
