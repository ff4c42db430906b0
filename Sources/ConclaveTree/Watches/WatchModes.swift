/// The ways in which a connection can watch a path; it can have several at once (ZOOKEEPER-4466).
///
/// Source: wire-protocol, section 9.1.
package struct WatchModes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Set by exists and getData: created, deleted or data changed, once.
    package static let data = WatchModes(rawValue: 1)
    /// Set by getChildren: children changed or node deleted, once.
    package static let child = WatchModes(rawValue: 2)
    /// Both of them, for good.
    package static let persistent = WatchModes(rawValue: 4)
    /// Created, deleted and data changed of the path and everything below it, for good.
    package static let recursive = WatchModes(rawValue: 8)

    static let once: WatchModes = [.data, .child]
    package static let all: WatchModes = [.data, .child, .persistent, .recursive]

    /// The mode that an addWatch request names: 0 persistent, 1 recursive; `nil` for anything else.
    package init?(addWatchMode: Int32) {
        switch addWatchMode {
        case 0: self = .persistent
        case 1: self = .recursive
        default: return nil
        }
    }

    /// The modes that a checkWatches or removeWatches request names: 1 children, 2 data, 3 any, 4 persistent, 5
    /// recursive; `nil` for anything else.
    package init?(watcherType: Int32) {
        switch watcherType {
        case 1: self = .child
        case 2: self = .data
        case 3: self = .all
        case 4: self = .persistent
        case 5: self = .recursive
        default: return nil
        }
    }
}
