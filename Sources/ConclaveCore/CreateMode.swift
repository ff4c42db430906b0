/// What kind of node a create makes.
public enum CreateMode: Hashable, Sendable {
    /// Stays until somebody deletes it.
    case persistent
    /// Goes when its session ends.
    case ephemeral
    /// Persistent; the server appends a number of ten digits that grows with every child of the parent.
    case persistentSequential
    /// Ephemeral with such a number.
    case ephemeralSequential
    /// Removed by the server some time after its last child went.
    case container
    /// Removed by the server when it has no children and its data has not changed for so long.
    ///
    /// At least a millisecond, at most 2^40 - 1 milliseconds; servers refuse it unless extended types are enabled.
    case timeToLive(Duration)
    /// The same with a number appended.
    case timeToLiveSequential(Duration)

    /// Whether the node goes with its session.
    public var isEphemeral: Bool {
        switch self {
        case .ephemeral, .ephemeralSequential: true
        case .persistent, .persistentSequential, .container, .timeToLive, .timeToLiveSequential: false
        }
    }

    /// Whether the server appends a number to the name.
    public var isSequential: Bool {
        switch self {
        case .persistentSequential, .ephemeralSequential, .timeToLiveSequential: true
        case .persistent, .ephemeral, .container, .timeToLive: false
        }
    }

    /// The value of the flags field on the wire.
    package var flags: Int32 {
        switch self {
        case .persistent: 0
        case .ephemeral: 1
        case .persistentSequential: 2
        case .ephemeralSequential: 3
        case .container: 4
        case .timeToLive: 5
        case .timeToLiveSequential: 6
        }
    }

    /// The time to live in milliseconds, or `nil` for modes without one.
    package var timeToLiveMilliseconds: Int64? {
        switch self {
        case .timeToLive(let duration), .timeToLiveSequential(let duration): duration.wholeMilliseconds
        case .persistent, .ephemeral, .persistentSequential, .ephemeralSequential, .container: nil
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded down, held within 64 bits.
    package var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }
}
