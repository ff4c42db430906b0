import ConclaveClient
public import ConclaveCore

/// All values of one version of a ``ConfigurationSet``.
public struct ConfigurationSnapshot: Hashable, Sendable {
    /// The number of the version; the same again after a rollback.
    public let number: Int
    /// How often the pointer has been switched.
    public let pointerVersion: Int32
    /// The transaction that switched the pointer: grows from switch to switch.
    public let zxid: Zxid
    /// The values as bytes, by key.
    public let values: [String: [UInt8]]
    /// How many switches since the snapshot delivered before were never looked at.
    public let skipped: Int

    init(_ reading: SnapshotMachine.Reading, skipped: Int = 0) {
        number = reading.number
        pointerVersion = reading.pointer.version
        zxid = reading.pointer.mzxid
        values = reading.values
        self.skipped = skipped
    }

    /// One value; `nil` if the version has no such key.
    ///
    /// - Throws: what is wrong with it.
    public func value<Value: ConfigurationValue>(of key: String, as type: Value.Type = Value.self) throws -> Value? {
        try values[key].map(Value.init(configurationBytes:))
    }
}

/// A version of a ``ConfigurationSet`` that is being made.
public struct ConfigurationDraft: Sendable {
    /// The values as bytes, by key.
    public var values: [String: [UInt8]]

    /// Sets one value.
    public mutating func set<Value: ConfigurationValue>(_ key: String, to value: Value) throws {
        values[key] = try value.configurationBytes()
    }

    /// Takes a key out.
    public mutating func remove(_ key: String) { values[key] = nil }
}

extension ConfigurationSet {
    /// Follows the set: the current snapshot first, if there is one, then each newer one; the latest wins.
    ///
    /// Lost connections are waited out. Ends with `nil` when the iterating task is cancelled and throws when the
    /// session is over.
    public var updates: Updates { Updates(set: self) }

    /// The sequence behind ``ConfigurationSet/updates``.
    public struct Updates: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = ConfigurationSnapshot
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let set: ConfigurationSet

        /// Starts to follow.
        public func makeAsyncIterator() -> AsyncIterator {
            let pointer = Configuration<[UInt8]>(set.client, at: set.path)
            return AsyncIterator(set: set, pointers: pointer.updates.makeAsyncIterator())
        }

        /// One subscriber.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let set: ConfigurationSet
            var pointers: Configuration<[UInt8]>.Updates.AsyncIterator
            private var last: ConfigurationSnapshot?

            init(set: ConfigurationSet, pointers: Configuration<[UInt8]>.Updates.AsyncIterator) {
                self.set = set
                self.pointers = pointers
            }

            /// The next snapshot; `nil` once the task was cancelled.
            public mutating func next() async throws(ZooKeeperError) -> ConfigurationSnapshot? {
                while try await pointers.next() != nil {
                    let snapshot: ConfigurationSnapshot?
                    do {
                        snapshot = try await set.current()
                    } catch {
                        if error.code == .cancelled { return nil }
                        throw error
                    }
                    // Read after the pointer, it may be of a newer switch, whose own notice then tells nothing new.
                    guard let snapshot, snapshot.zxid != last?.zxid else { continue }
                    let steps = last.map { Int(snapshot.pointerVersion &- $0.pointerVersion) } ?? 1
                    last = snapshot
                    return snapshot.skipping(steps > 1 ? steps - 1 : 0)
                }
                return nil
            }

            /// The same, for iteration in an actor.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ZooKeeperError) -> ConfigurationSnapshot? {
                try await next()
            }
        }
    }
}

extension ConfigurationSnapshot {
    fileprivate func skipping(_ count: Int) -> ConfigurationSnapshot {
        ConfigurationSnapshot(
            number: number, pointerVersion: pointerVersion, zxid: zxid, values: values, skipped: count)
    }

    private init(number: Int, pointerVersion: Int32, zxid: Zxid, values: [String: [UInt8]], skipped: Int) {
        self.number = number
        self.pointerVersion = pointerVersion
        self.zxid = zxid
        self.values = values
        self.skipped = skipped
    }
}
