import ConclaveCore
import ConclaveStorage
import ConclaveSystem
import ConclaveTree

/// A data directory that has been locked and read: the tree, and the store that goes on from there.
struct OpenedData {
    var store: Store<FileDisk>
    let tree: DataTree
    let locks: [DirectoryLock]
    let recovered: Recovered
    /// The newest transactions, for servers that catch up.
    let recent: [Transaction]
    let loadMilliseconds: Int64
    /// What an operator should know.
    let warnings: [String]

    /// Locks and reads the directories of a configuration. Blocks; a million nodes take about a second.
    ///
    /// - Throws: `.storageFailure` if they are in use, cannot be written, or hold what cannot be trusted.
    static func open(
        _ configuration: ServerConfiguration, treeOptions: TreeOptions, seed: UInt64
    ) throws(ZooKeeperError) -> OpenedData {
        let start = SystemClock.now()
        // Overwriting zeros is cheaper to sync than growing into reserved space.
        var disk = FileDisk(initialisesReservedSpace: true)
        var locks: [DirectoryLock] = []
        do {
            for directory in Set([configuration.dataDirectory, configuration.logDirectory]).sorted() {
                if !configuration.createsDirectories, try !disk.exists(directory) {
                    throw DiskError(
                        .notFound, path: directory, message: "does not exist, and datadir.autocreate is off")
                }
                try disk.createDirectory(directory)
                locks.append(try DirectoryLock(directory))
            }
        } catch let error as DiskError {
            throw ZooKeeperError(.storageFailure, path: error.path, message: error.message)
        } catch {
            throw ZooKeeperError(.storageFailure, path: configuration.dataDirectory, message: "\(error)")
        }
        let recentLimit = configuration.ensemble.map { $0.committedLogCount + 1 } ?? 0
        var loader = TreeLoader(options: treeOptions, keepingRecent: recentLimit)
        var store = Store(
            disk: disk, dataDirectory: configuration.dataDirectory, logDirectory: configuration.logDirectory,
            options: configuration.storageOptions(seed: seed))
        do throws(StorageError) {
            let recovered = try store.recover(into: &loader)
            try refuse(loader.problems)
            var warnings = recovered.warnings + loader.problems.map(\.description)
            warnings += loader.digestMismatches.map {
                "replaying \($0.zxid): the digest of the tree is \($0.found), the log says \($0.expected)"
            }
            return OpenedData(
                store: store, tree: loader.tree, locks: locks, recovered: recovered,
                recent: Array(loader.recent),
                loadMilliseconds: SystemClock.now().milliseconds(since: start), warnings: warnings)
        } catch {
            throw ZooKeeperError(
                .storageFailure, path: error.file ?? configuration.dataDirectory, message: error.description)
        }
    }

    /// Problems that would lose data if the server went on.
    private static func refuse(_ problems: [LoadProblem]) throws(StorageError) {
        for problem in problems {
            switch problem {
            case .timeToLiveNodesWithoutExtendedTypes:
                throw StorageError(.unsupported, problem.description + "; start with extendedTypesEnabled=true")
            case .unknownACLKey, .missingBuiltInNode, .unplacedNodes, .digestMismatch: break
            }
        }
    }
}

extension ServerConfiguration {
    func storageOptions(seed: UInt64) -> StorageOptions {
        var options = StorageOptions()
        options.snapshotEvery = snapshotEvery
        options.snapshotEveryBytes = snapshotEveryBytes ?? 0
        options.seed = seed
        options.preallocateBytes = Int(preallocateBytes)
        options.logSizeLimitBytes = logSizeLimitBytes
        options.forceSync = forceSync
        options.retainSnapshots = retainedSnapshots
        options.trustEmptySnapshot = trustsMissingSnapshot
        options.writesDigest = digestEnabled
        return options
    }
}
