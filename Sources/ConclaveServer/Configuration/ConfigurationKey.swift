import ConclaveConsensus
import ConclaveCore

/// A key of the configuration file and what it does.
struct ConfigurationKey: Sendable {
    typealias Property<Root, Value> = any WritableKeyPath<Root, Value> & Sendable

    enum Effect<Root: Configurable>: Sendable {
        case text(Property<Root, String>)
        case optionalText(Property<Root, String?>)
        case number(Property<Root, Int>, ClosedRange<Int>, unit: String)
        /// A number; 0 or less means "no limit" and is kept as 0.
        case limit(Property<Root, Int>, unit: String)
        /// A number; 0 or less means that the server chooses.
        case optionalNumber(Property<Root, Int?>, unit: String)
        /// KiB in the file, bytes in the configuration; 0 or less means off.
        case optionalKibibytes(Property<Root, Int64?>)
        case flag(Property<Root, Bool>)
        /// `yes` or `no`, as a few old keys want it; true and false do as well.
        case yesOrNo(Property<Root, Bool>)
        /// Needs more than one property or a form of its own.
        case special(Root.Special)
        /// Apache's, without an effect here; `nil` where a server of Apache of the same kind ignores it too. Nothing is
        /// said about `harmless` values.
        case ignored(because: String?, harmless: Set<String> = [])
        /// Apache's; to ignore it could surprise its user, so that a file that sets it to anything but `harmless` is
        /// refused.
        case refused(because: String, harmless: Set<String> = [])
    }

    let name: String
    /// What it does to a server, or to one that stands alone if ``ensemble`` says something else.
    let effect: Effect<ServerConfiguration>
    /// What it does to a member of an ensemble, for keys that concern only those.
    let ensemble: Effect<EnsembleSettings>?

    init(_ name: String, _ effect: Effect<ServerConfiguration>) {
        self.name = name
        self.effect = effect
        ensemble = nil
    }

    init(_ name: String, alone effect: Effect<ServerConfiguration>, ensemble: Effect<EnsembleSettings>) {
        self.name = name
        self.effect = effect
        self.ensemble = ensemble
    }

    /// The key that a line of a file means. Every key may bear the prefix `zookeeper.` that Java's properties have.
    static func find(_ name: String) -> ConfigurationKey? {
        if let key = byName[name] { return key }
        if name.hasPrefix(prefix), let key = byName[String(name.dropFirst(prefix.count))] { return key }
        return families.first { name.hasPrefix($0.name) || name.hasPrefix(prefix + $0.name) }
    }

    /// The known key that looks most like an unknown one, if any does.
    static func suggestion(for name: String) -> String? {
        NearestName.suggestion(for: name, among: all.lazy.map(\.name))
    }

    /// What Java's properties bear that the file leaves out.
    static let prefix = "zookeeper."

    private static let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
}

/// What the keys of a file set.
protocol Configurable {
    /// Keys with a form of their own.
    associatedtype Special: Sendable
}

extension ServerConfiguration: Configurable {
    enum Special: Sendable {
        case preallocation, purgeInterval, retainedSnapshots, snapshotEvery, words, superDigest, digestAlgorithm
        case neverUsedContainers
        case electionAlgorithm, standaloneEnabled, dynamicFile
        /// A number that ensembles need; a server that stands alone only looks whether it is one.
        case unusedLimit
    }
}

extension EnsembleSettings: Configurable {
    enum Special: Sendable { case peerType, committedLogCount, snapshotSizeFactor }
}
