import ConclaveCore

/// The watchers of one path, and what the server has armed for them on the present connection.
struct PathWatches: Equatable, Sendable {
    /// What a server can have armed for one connection and path.
    struct Armed: OptionSet, Sendable {
        let rawValue: UInt8
        static let data = Armed(rawValue: 1)
        static let children = Armed(rawValue: 2)
        static let persistent = Armed(rawValue: 4)

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init(_ kind: WatcherKind) {
            switch kind {
            case .data, .existence: self = .data
            case .children: self = .children
            case .persistent, .recursive: self = .persistent
            }
        }
    }

    var data: [WatcherID] = []
    var existence: [WatcherID] = []
    var children: [WatcherID] = []
    var persistent: [WatcherID] = []
    var recursive: [WatcherID] = []

    /// Requests on their way that will arm something; as long as there is one nothing of its kind may be removed at the
    /// server.
    var coming = Coming()
    var armed: Armed = []

    struct Coming: Equatable, Sendable {
        var data = 0
        var children = 0
        var persistent = 0

        subscript(_ kind: WatcherKind) -> Int {
            get {
                switch kind {
                case .data, .existence: data
                case .children: children
                case .persistent, .recursive: persistent
                }
            }
            set {
                switch kind {
                case .data, .existence: data = newValue
                case .children: children = newValue
                case .persistent, .recursive: persistent = newValue
                }
            }
        }
    }

    subscript(_ kind: WatcherKind) -> [WatcherID] {
        get {
            switch kind {
            case .data: data
            case .existence: existence
            case .children: children
            case .persistent: persistent
            case .recursive: recursive
            }
        }
        set {
            switch kind {
            case .data: data = newValue
            case .existence: existence = newValue
            case .children: children = newValue
            case .persistent: persistent = newValue
            case .recursive: recursive = newValue
            }
        }
    }

    /// What somebody here wants, or is about to want.
    private var wanted: Armed {
        var wanted: Armed = []
        if !data.isEmpty || !existence.isEmpty || coming.data > 0 { wanted.insert(.data) }
        if !children.isEmpty || coming.children > 0 { wanted.insert(.children) }
        if !persistent.isEmpty || !recursive.isEmpty || coming.persistent > 0 { wanted.insert(.persistent) }
        return wanted
    }

    /// Whether nothing needs this entry any more.
    var isIdle: Bool { wanted.isEmpty && armed.isEmpty }

    /// What to remove at the server because nobody wants it, and forgets it.
    ///
    /// Next to a persistent watch nothing is removed on its own: a 3.8 server keeps one mode per path and would take
    /// the others along (ZOOKEEPER-4466, -4471).
    mutating func takeUnwanted() -> WatchRemoval? {
        let unwanted = armed.subtracting(wanted)
        guard !unwanted.isEmpty else { return nil }
        if wanted.isEmpty {
            armed = []
            return unwanted == .data ? .data : unwanted == .children ? .children : .any
        }
        guard !armed.contains(.persistent), !wanted.contains(.persistent) else { return nil }
        armed.subtract(unwanted)
        return unwanted == .data ? .data : .children
    }
}
