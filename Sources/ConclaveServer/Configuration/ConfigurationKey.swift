import ConclaveCore

/// A key of the configuration file and what it does.
struct ConfigurationKey: Sendable {
    typealias Property<Value> = any WritableKeyPath<ServerConfiguration, Value> & Sendable

    enum Effect: Sendable {
        case text(Property<String>)
        case optionalText(Property<String?>)
        case number(Property<Int>, ClosedRange<Int>, unit: String)
        /// A number; 0 or less means "no limit" and is kept as 0.
        case limit(Property<Int>, unit: String)
        /// A number; 0 or less means that the server chooses.
        case optionalNumber(Property<Int?>, unit: String)
        /// KiB in the file, bytes in the configuration; 0 or less means off.
        case optionalKibibytes(Property<Int64?>)
        case flag(Property<Bool>)
        /// `yes` or `no`, as a few old keys want it; true and false do as well.
        case yesOrNo(Property<Bool>)
        /// Needs more than one property or a form of its own.
        case special(Special)
        /// Apache's, without an effect here; `nil` where a standalone server of Apache ignores it too.
        case ignored(because: String?)
        /// Apache's; to ignore it could surprise its user, so that a file that sets it to anything but `harmless` is refused.
        case refused(because: String, harmless: Set<String> = [])
    }

    enum Special: Sendable {
        case preallocation, purgeInterval, retainedSnapshots, snapshotEvery, words, superDigest,
            digestAlgorithm
        case neverUsedContainers
    }

    let name: String
    let effect: Effect

    init(_ name: String, _ effect: Effect) {
        self.name = name
        self.effect = effect
    }

    /// The key that a line of a file means. Every key may bear the prefix `zookeeper.` that Java's properties have.
    static func find(_ name: String) -> ConfigurationKey? {
        if let key = byName[name] { return key }
        if name.hasPrefix("zookeeper."), let key = byName[String(name.dropFirst("zookeeper.".count))] { return key }
        return families.first { name.hasPrefix($0.name) || name.hasPrefix("zookeeper." + $0.name) }
    }

    /// The known key that looks most like an unknown one, if any does.
    static func suggestion(for name: String) -> String? {
        NearestName.suggestion(for: name, among: all.lazy.map(\.name))
    }

    private static let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
}
